// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// conn says whether it was closed.
type conn struct {
	net.Conn
	closed bool
}

func (c *conn) Close() error {
	c.closed = true
	return nil
}

// Of too many connections one goes that asks for nothing, the oldest first; then the one
// whose request takes longest.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	c := newConnections(3)
	all := make([]*conn, 6)
	for i := range all {
		all[i] = &conn{}
	}
	closed := func() (which []int) {
		for i, one := range all {
			if one.closed {
				which = append(which, i)
			}
		}
		return which
	}
	c.change(all[0], http.StateNew)
	c.change(all[0], http.StateActive)
	c.change(all[1], http.StateNew)
	c.change(all[2], http.StateNew)
	assert.Empty(t, closed())
	c.change(all[3], http.StateNew)
	assert.Equal(t, []int{1}, closed(), "it has asked for nothing for longest")
	c.change(all[1], http.StateIdle)
	c.change(all[1], http.StateClosed)
	c.change(all[2], http.StateActive)
	c.change(all[3], http.StateActive)
	c.change(all[2], http.StateIdle)
	c.change(all[4], http.StateNew)
	assert.Equal(t, []int{1, 2}, closed(), "it has its answer")
	c.change(all[4], http.StateActive)
	c.limit = 2
	c.change(all[3], http.StateActive)
	assert.Equal(t, []int{0, 1, 2}, closed(), "its request is under way for longest")
	c.change(all[3], http.StateClosed)
	c.change(all[5], http.StateNew)
	assert.Equal(t, []int{0, 1, 2}, closed())
	assert.Len(t, c.open, 2)
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	code, _ := r.get(t, "/api/v1/query?query=1%23"+strings.Repeat("x", 30<<10))
	assert.Equal(t, http.StatusOK, code)
	code, _, _ = r.do(t, http.MethodGet, "/api/v1/query?query=1", http.Header{"X-Long": {strings.Repeat("x", 64<<10)}}, nil)
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, code)
	code, _, _ = r.do(t, http.MethodPost, "/api/v1/query", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		[]byte("query=1%23"+strings.Repeat("x", 60<<10)))
	assert.Equal(t, http.StatusOK, code, "a form has room for more")
}

// Those that hold their connections open, and ask for nothing, do not keep others out.
func TestConnectionsThatAskForNothing(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	var all []net.Conn
	for range maxConnections + 10 {
		one, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
		require.NoError(t, err)
		defer one.Close()
		all = append(all, one)
	}
	code, _ := r.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, code)
	_, err := all[0].Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "the first is cut off")
}
