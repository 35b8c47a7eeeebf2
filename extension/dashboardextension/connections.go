// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

const (
	// maxHeaderBytes bounds an address and its headers, which are in no other budget. The server
	// takes up to three times as much memory for them.
	maxHeaderBytes = 32 << 10
	maxConnections = 1024
)

// connections bounds how many there are. When there are too many, one is cut off that has
// asked for nothing yet, or has its answers; if there is none, one that has had its request
// under way for longest. So those that send slowly do not keep others out.
type connections struct {
	limit int

	mutex sync.Mutex
	clock int64 // counts changes of state
	open  map[net.Conn]connection
}

type connection struct {
	since  int64 // see clock
	active bool  // its headers are read, and it has no answer yet
}

func newConnections(limit int) *connections {
	return &connections{limit: limit, open: map[net.Conn]connection{}}
}

// serve makes a server bound its connections and their headers.
func (c *connections) serve(server *http.Server) {
	server.MaxHeaderBytes = maxHeaderBytes
	server.ConnState = c.change
}

// change is called when a connection changes its state. It does not wait for anybody.
func (c *connections) change(conn net.Conn, state http.ConnState) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.open, conn)
		return
	}
	if _, known := c.open[conn]; !known && state != http.StateNew {
		return // it is cut off
	}
	c.clock++
	c.open[conn] = connection{since: c.clock, active: state == http.StateActive}
	if len(c.open) > c.limit {
		longest := c.longest()
		delete(c.open, longest)
		cut(longest)
	}
}

func (c *connections) longest() (longest net.Conn) {
	for conn, state := range c.open {
		best := c.open[longest]
		if longest == nil || best.active && !state.active || best.active == state.active && state.since < best.since {
			longest = conn
		}
	}
	return longest
}

// cut closes a connection without a farewell, for which TLS would wait.
func cut(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close() // nobody is left to know
}
