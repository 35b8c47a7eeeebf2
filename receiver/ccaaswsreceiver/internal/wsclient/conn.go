// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"errors"
	"net"
	"time"
)

// maxHandshakeSize bounds what a platform may send before the socket is up, headers
// included, in bytes.
const maxHandshakeSize = 1 << 20

var errHandshakeTooLarge = errors.New("the answer has more than 1 MiB of headers")

// idleTimeoutConn is the network connection of a socket. A read fails after a time
// without inbound data. Only time spent in a read counts: while the caller does not
// read, no data is expected.
type idleTimeoutConn struct {
	net.Conn
	limited      bool          // during the handshake, and within a frame
	allowance    int           // bytes, where it is bounded
	timeout      time.Duration // of a read; 0 during the handshake
	dataDeadline time.Time     // of the next data frame; zero: none
	lastActivity time.Time     // of the last inbound byte
	roundTrip    time.Duration // duration of the TCP connect, to the platform or its proxy

	lag readLag
}

// setIdleTimeout ends the handshake and sets the timeout of a read.
func (w *idleTimeoutConn) setIdleTimeout(timeout time.Duration) {
	w.timeout = timeout
	w.unlimit()
}

// limit bounds the bytes that may be read from now on.
func (w *idleTimeoutConn) limit(bytes int) { w.limited, w.allowance = true, bytes }

// unlimit removes the bound.
func (w *idleTimeoutConn) unlimit() { w.limited = false }

// Read reads all inbound data, control frames included.
func (w *idleTimeoutConn) Read(p []byte) (int, error) {
	began := time.Now()
	w.lag.beginRead(began)
	if w.timeout > 0 {
		deadline := began.Add(w.timeout)
		if !w.dataDeadline.IsZero() && w.dataDeadline.Before(deadline) {
			deadline = w.dataDeadline
		}
		_ = w.SetReadDeadline(deadline) // the read returns the same error
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
