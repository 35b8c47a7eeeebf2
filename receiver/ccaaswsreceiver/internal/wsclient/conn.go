// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"errors"
	"net"
	"time"
)

// maxHandshakeSize bounds what a platform may send before the socket is up, and
// with it the headers of its answer.
const maxHandshakeSize = 1 << 20

var errHandshakeTooLarge = errors.New("the answer has more than 1 MiB of headers")

// wire is the connection under a socket. It knows when something was last heard,
// and gives up after a time of silence. Only time spent waiting for the peer
// counts as silence: while we do not read, nothing is expected.
type idleTimeoutConn struct {
	net.Conn
	limited      bool          // during the handshake, and within a frame
	allowance    int           // bytes, where it is bounded
	timeout      time.Duration // of silence; 0 before watch
	dataDeadline time.Time     // when a data frame is due; zero: none is
	lastActivity time.Time
	roundTrip    time.Duration // to the platform, or to the proxy before it: what TCP took to connect

	lag readLag // of our reading behind the peer's sending
}

// watch ends the handshake, and begins to look out for silence.
func (w *idleTimeoutConn) setIdleTimeout(timeout time.Duration) {
	w.timeout = timeout
	w.unlimit()
}

// allow bounds what may come from now on.
func (w *idleTimeoutConn) limit(bytes int) { w.limited, w.allowance = true, bytes }

// allowAll ends the bound.
func (w *idleTimeoutConn) unlimit() { w.limited = false }

// Read is where all that the peer sends comes by, control frames too.
func (w *idleTimeoutConn) Read(p []byte) (int, error) {
	began := time.Now()
	w.lag.beginRead(began)
	if w.timeout > 0 {
		deadline := began.Add(w.timeout)
		if !w.dataDeadline.IsZero() && w.dataDeadline.Before(deadline) {
			deadline = w.dataDeadline
		}
		_ = w.SetReadDeadline(deadline) // where that fails, reading tells why
	}
	n, err := w.Conn.Read(p)
	ended := time.Now()
	if n > 0 {
		w.lastActivity = ended
	}
	w.lag.endRead(began, ended, n > 0)
	if w.limited {
		if w.allowance -= n; w.allowance < 0 {
			return n, w.tooLarge()
		}
	}
	return n, err
}

func (w *idleTimeoutConn) tooLarge() error {
	if w.timeout == 0 {
		return errHandshakeTooLarge
	}
	return errFrameTooLarge
}
