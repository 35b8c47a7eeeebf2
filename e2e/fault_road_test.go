// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// road is a way by TCP between a client and a server, on which accidents happen.
type road struct {
	address string // for clients
	server  string

	mutex    sync.Mutex
	opened   *sync.Cond
	blocked  bool // nothing gets through, and no connection is closed
	shut     bool // who comes is turned away
	done     bool
	lines    map[net.Conn]struct{}
	arrivals []time.Time // of clients
	travel   sync.WaitGroup
}

func startRoad(t testing.TB, server string) *road {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &road{address: listener.Addr().String(), server: server, lines: map[net.Conn]struct{}{}}
	r.opened = sync.NewCond(&r.mutex)
	r.travel.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			r.travel.Go(func() { r.drive(client) })
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, listener.Close())
		r.change(func() { r.done, r.blocked = true, false })
		r.crash()
		r.travel.Wait()
	})
	return r
}

func (r *road) change(what func()) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	what()
	r.opened.Broadcast()
}

// block lets nothing through any more: what is sent is taken, and waits.
func (r *road) block() { r.change(func() { r.blocked = true }) }

func (r *road) unblock() { r.change(func() { r.blocked = false }) }

// close turns everybody away, until open.
func (r *road) close() {
	r.change(func() { r.shut = true })
	r.crash()
}

func (r *road) open() { r.change(func() { r.shut = false }) }

// crash resets every connection.
func (r *road) crash() {
	r.change(func() {
		for line := range r.lines {
			_ = line.(*net.TCPConn).SetLinger(0)
			_ = line.Close()
		}
	})
}

// since are the clients that came after a moment.
func (r *road) since(moment time.Time) (arrivals []time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, at := range r.arrivals {
		if at.After(moment) {
			arrivals = append(arrivals, at)
		}
	}
	return arrivals
}

// admit says whether a client may come in.
func (r *road) admit(client net.Conn) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.arrivals = append(r.arrivals, time.Now())
	if r.shut || r.done {
		return false
	}
	r.lines[client] = struct{}{}
	return true
}

func (r *road) drive(client net.Conn) {
	defer client.Close()
	if !r.admit(client) {
		_ = client.(*net.TCPConn).SetLinger(0)
		return
	}
	defer r.change(func() { delete(r.lines, client) })
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer server.Close()
	var there sync.WaitGroup
	there.Go(func() {
		r.carry(server, client)
		_ = server.Close()
	})
	r.carry(client, server)
	_ = client.Close()
	there.Wait()
}

func (r *road) carry(to, from net.Conn) {
	load := make([]byte, 32<<10)
	for {
		n, err := from.Read(load)
		r.mutex.Lock()
		for r.blocked {
			r.opened.Wait()
		}
		r.mutex.Unlock()
		if n > 0 {
			if _, err := to.Write(load[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
