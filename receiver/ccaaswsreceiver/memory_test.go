// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// memoryPlatform is a WebSocket server whose connections are in memory: a test runs in
// the fake time of a synctest bubble.
type memoryPlatform struct {
	connections chan net.Conn
	closed      chan struct{}
	sockets     chan *websocket.Conn // that were opened
	silent      bool                 // sends no pongs
}

// Accept makes the platform its own listener.
func (p *memoryPlatform) Accept() (net.Conn, error) {
	select {
	case conn := <-p.connections:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by the server.
func (p *memoryPlatform) Close() error {
	close(p.closed)
	return nil
}

func (*memoryPlatform) Addr() net.Addr { return &net.UnixAddr{} }

func (p *memoryPlatform) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.connections <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *memoryPlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	if p.silent {
		conn.SetPingHandler(func(string) error { return nil })
	}
	p.sockets <- conn
	for err == nil {
		_, _, err = conn.NextReader()
	}
	_ = conn.Close()
}

// send sends a frame. It blocks while the receiver does not read.
func send(t testing.TB, to *websocket.Conn, frame []byte) {
	t.Helper()
	require.NoError(t, to.WriteMessage(websocket.TextMessage, frame))
}

// closeSocket sends a close frame.
func closeSocket(t testing.TB, of *websocket.Conn, code int, text string) {
	t.Helper()
	require.NoError(t, of.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second)))
}

// inMemory runs a receiver against a platform in fake time, from the first socket on.
func inMemory(t *testing.T, change func(*Config, *memoryPlatform), test func(*testing.T, *bench, *memoryPlatform, *websocket.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &memoryPlatform{connections: make(chan net.Conn), closed: make(chan struct{}), sockets: make(chan *websocket.Conn, 100)}
		server := &http.Server{Handler: p, ReadHeaderTimeout: time.Hour}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(p) })

		config := createDefaultConfig().(*Config)
		config.Platform, config.Endpoint, config.Preflight.Enabled = "custom", "ws://127.0.0.1:1", false
		config.TenantID, config.Region = "acme_corp", "eu-west-1"
		if change != nil {
			change(config, p)
		}
		b := newBench(t, config)
		b.dial = p.dial
		require.NoError(t, b.Start(t.Context(), b.host))
		defer func() {
			assert.NoError(t, b.Shutdown(context.Background()))
			assert.NoError(t, server.Close())
			serving.Wait()
		}()
		test(t, b, p, <-p.sockets)
	})
}

// summary returns the names of records with their tenant and cause.
func summary(records []taken) []string {
	var all []string
	for _, record := range records {
		one := record.EventName() + " " + record.tenant
		if cause := record.text("ccaas.stream.cause"); cause != "" {
			one = fmt.Sprint(one, " ", cause)
		}
		all = append(all, one)
	}
	return all
}
