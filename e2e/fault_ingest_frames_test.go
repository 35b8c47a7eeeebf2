// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deluge is a platform that sends a client no frame that ever ends well, on some
// sockets; after them it sends a good event again and again.
type deluge struct {
	url  string
	sent atomic.Int64 // bytes of the deluges
}

func startDeluge(t testing.TB, times int, pour func(net.Conn) (int64, error)) *deluge {
	t.Helper()
	f := &deluge{}
	var sockets atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"a token","token_type":"bearer","expires_in":3600}`)
	})
	mux.HandleFunc("/api/v2/analytics/events/realtime", func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{Subprotocols: []string{"v2.realtime-events"}}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		if sockets.Add(1) <= int64(times) {
			sent, err := pour(conn.NetConn())
			f.sent.Add(sent)
			if err != nil {
				return
			}
		}
		for {
			event := fmt.Sprintf(`{"type":"message.send","timestamp":%d,"channelId":"after the deluge"}`, time.Now().UnixMilli())
			if conn.WriteMessage(websocket.TextMessage, []byte(event)) != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// pieces writes a first piece, and then another so many times.
func pieces(to io.Writer, first, piece []byte, times int) (int64, error) {
	n, err := to.Write(first)
	sent := int64(n)
	for range times {
		if err != nil {
			break
		}
		n, err = to.Write(piece)
		sent += int64(n)
	}
	return sent, err
}

const gibibyte = 1 << 30

// frameHead begins a text frame of a length, or of a fragment where it is not final.
func frameHead(first byte, length uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{first, 127}, length)
}

// Frames of 1 GiB and without an end. Memory stays bounded by max_frame_size, what
// was wrong is on record, and the stream goes on.
func TestFaultHugeFrames(t *testing.T) {
	t.Parallel()
	block := bytes.Repeat([]byte("x"), 1<<20)
	fragment := append(frameHead(0x00, 1<<20), block...)
	const endless = 1 << 40
	for name, test := range map[string]struct {
		limit int // max_frame_size
		pour  func(net.Conn) (int64, error)
		cause string // empty: the socket lives
	}{
		"a frame of 1 GiB": {1 << 20, func(c net.Conn) (int64, error) {
			return pieces(c, frameHead(0x81, gibibyte), block, gibibyte>>20)
		}, "frame_too_large"},
		"a frame of 1 GiB, which is read to its end": {64 << 20, func(c net.Conn) (int64, error) {
			return pieces(c, frameHead(0x81, gibibyte), block, gibibyte>>20)
		}, ""},
		"fragments without end": {1 << 20, func(c net.Conn) (int64, error) {
			return pieces(c, []byte{0x01, 1, '{'}, fragment, endless)
		}, "frame_too_large"},
		"fragments of nothing without end": {1 << 20, func(c net.Conn) (int64, error) {
			return pieces(c, []byte{0x01, 1, '{'}, make([]byte, 1<<20), endless) // heads of two zero octets
		}, "frame_too_large"},
		"fragments of an octet without end": {1 << 20, func(c net.Conn) (int64, error) {
			return pieces(c, []byte{0x01, 1, '{'}, bytes.Repeat([]byte{0x00, 1, ' '}, 1<<18), endless)
		}, "frame_too_large"},
		"a length that no frame has": {1 << 20, func(c net.Conn) (int64, error) {
			return pieces(c, frameHead(0x81, 1<<63), block, endless)
		}, "frame_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			times := amount(1, 20)
			if test.cause == "" {
				times = 1
			}
			f := startDeluge(t, times, test.pour)
			w := watch(t, "endpoint: "+f.url+"\npreflight: { enabled: false }\nmax_frame_size: "+strconv.Itoa(test.limit))
			eventually(t, func() error { return w.enough("message.send", 1) })
			w.stopped(t, test.cause, times)
			peak := w.memory(t, "VmHWM")
			most := int64(160<<20 + 3*test.limit)
			assert.Less(t, peak, most)
			require.NoError(t, w.enough("protocol.violation", times), "each is on record")
			measured(t, "%d times: %d MiB were sent before the socket was left, RSS at most %d MiB", times, f.sent.Load()>>20, peak>>20)
		})
	}
}

// stopped holds the ends of the stream against what they should be.
func (w *watcher) stopped(t *testing.T, cause string, times int) {
	t.Helper()
	ends := named(w.records(t), "stream.disconnected")
	if cause == "" {
		assert.Empty(t, ends)
		return
	}
	assert.Len(t, ends, times)
	for _, end := range ends {
		assert.Equal(t, cause, end.cause)
	}
}
