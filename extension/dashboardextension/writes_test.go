// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// begin sends the head of a write, and some bytes of its body.
func (r *running) begin(t *testing.T, length, sent int) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /api/v1/otlp/v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		length, strings.Repeat(" ", sent))
	require.NoError(t, err)
	return conn
}

func (r *running) writes(t *testing.T) {
	t.Helper()
	code, _, body := r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{"Content-Type": {"application/json"}},
		otlpJSON("a", time.Now(), 1))
	require.Equal(t, http.StatusOK, code, body)
}

// Clients that send their bodies slowly do not keep out others, however many there are.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	for range 4*runtime.GOMAXPROCS(0) + maxWaitingWrites {
		r.begin(t, 1000, 1)
	}
	r.writes(t)
}

// Bodies that are never finished hold no more than there is room for: the largest are cut
// off, and others are taken.
func TestUnfinishedBodies(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.ServerConfig.MaxRequestBodySize = 3 << 20
	r := run(t, config)
	refused := make(chan int, 100)
	for range minBodies>>21 + 8 {
		conn := r.begin(t, 3<<20, 2<<20)
		go func() {
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil {
				refused <- response.StatusCode
				_ = response.Body.Close()
			}
		}()
	}
	assert.Equal(t, http.StatusServiceUnavailable, <-refused)
	r.writes(t)
}

// A body is decoded as its sender compressed it.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.ServerConfig.CompressionAlgorithms = []string{"gzip"}
	r := run(t, config)
	code, _, body := r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{
		"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"},
	}, gzipped(t, otlpJSON("a", time.Now(), 1)))
	require.Equal(t, http.StatusOK, code, body)
	code, _, _ = r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{
		"Content-Type": {"application/json"}, "Content-Encoding": {"zstd"},
	}, []byte("x"))
	assert.Equal(t, http.StatusUnsupportedMediaType, code)
	code, _, _ = r.do(t, http.MethodPost, "/api/v1/query", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Content-Encoding": {"gzip"},
	}, gzipped(t, []byte("query=up")))
	assert.Equal(t, http.StatusUnsupportedMediaType, code)
}

// What interrupts the reading of a body ends the context of its connection, so nothing else
// may come on it.
func TestInterruptedConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	budget := requestbody.NewBudget(6 << 10)
	interrupted := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claim := budget.Claim(func() {
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
			close(interrupted)
		})
		defer claim.Release()
		if _, err := claim.ReadAll(r.Body); !assert.NoError(t, err) {
			return
		}
		_ = budget.Claim(nil).Grow(3 << 10) // of somebody who holds less
		<-interrupted
		<-r.Context().Done()
		w.WriteHeader(requestbody.Status(w, claim.Complete()))
	}))
	defer server.Close()
	response, err := server.Client().Post(server.URL, "", strings.NewReader(strings.Repeat("x", 3<<10)))
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.True(t, response.Close)

	recorder := httptest.NewRecorder()
	requestbody.Status(recorder, requestbody.ErrTooManyRequests)
	assert.Empty(t, recorder.Header().Get("Connection"), "others may go on")
}
