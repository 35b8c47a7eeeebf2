// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/gorilla/websocket"
)

// errFrameTooLarge is why we leave a socket: a frame has no end.
var errFrameTooLarge = errors.New("a frame is larger than 16 times max_frame_size")

// errControl is why we leave a socket: the platform said so in a frame.
type errControl Cause

func (e errControl) Error() string { return "the platform said so: " + string(e) }

// End is how a socket ended.
type End struct {
	Cause Cause
	Code  int       // of the peer's close frame; 0 where there is none
	At    time.Time // when we noticed
	Heard time.Time // when the peer gave its last sign of life
	Err   error
	// Unread is since when we had not read all that the peer sent: it may have ended
	// the socket, and lost events, at any time after that. Zero: we had.
	Unread time.Time

	up time.Time
}

// Orderly is whether the peer had the chance to send all that it wanted to.
func (e *End) Orderly() bool {
	return e.Cause == Shutdown || e.Cause == ClosedByPeer || e.Cause == Gone
}

// causeOf tells from the error of a read how a socket ended, and the code of the
// peer's close frame if there was one.
func causeOf(err error) (Cause, int) {
	closed := (*websocket.CloseError)(nil)
	network := net.Error(nil)
	control := errControl("")
	switch {
	case errors.As(err, &control):
		return Cause(control), 0
	case errors.As(err, &closed):
		switch closed.Code {
		case websocket.CloseAbnormalClosure: // never on the wire: the connection ended without a close frame
			return Reset, 0
		case websocket.CloseNoStatusReceived:
			return ClosedByPeer, 0
		default:
			return ClosedByPeer, closed.Code
		}
	case errors.Is(err, errFrameTooLarge), errors.Is(err, websocket.ErrReadLimit):
		return FrameTooLarge, 0
	case errors.As(err, &network) && network.Timeout():
		return Silence, 0
	case broken(err):
		return Reset, 0
	default: // gorilla tells of a breach of RFC 6455 by an error of no type
		return ProtocolError, 0
	}
}

// broken tells an error of the connection from one of the protocol on it.
func broken(err error) bool {
	var (
		operation *net.OpError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	return errors.As(err, &operation) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}
