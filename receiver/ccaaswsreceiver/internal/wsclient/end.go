// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// errFrameTooLarge ends a socket whose frame exceeds every bound.
var errFrameTooLarge = errors.New("a frame is larger than 16 times max_frame_size")

// errControl ends a socket whose control frame requires it.
type errControl Cause

func (e errControl) Error() string { return "a control frame of the platform: " + string(e) }

// End is how a socket ended.
type End struct {
	Cause        Cause
	Code         int       // of the peer's close frame; 0 where there is none
	At           time.Time // of the detection
	LastActivity time.Time // of the last inbound byte
	Err          error
	// Unread is the time since which data of the peer may be unread: events since then
	// may be lost. Zero: all data was read.
	Unread time.Time
	// WithToken reports whether a token of oauth2 opened the socket.
	WithToken bool

	up time.Time
}

// tokenCodes are the close codes by which platforms refuse a token. RFC 6455 has no
// code of its own for it: 1008 (policy violation) is common, IANA has registered 3000
// (unauthorized) and 3003 (forbidden), and 4401, 4403, 4001 and 4003 are customary.
var tokenCodes = []int{websocket.ClosePolicyViolation, 3000, 3003, 4001, 4003, 4401, 4403}

// tokenReason finds the refusal of a token in the text of a close frame, which some
// platforms send with another code, 1000 included.
var tokenReason = regexp.MustCompile(`(?i)unauth|not.?auth|authenti|authori[sz]|forbidden|token|jwt|credential|expired`)

// RefusesToken reports whether the peer closed the socket because of the token.
func (e *End) RefusesToken() bool {
	closed := (*websocket.CloseError)(nil)
	return e.Cause == ClosedByPeer && errors.As(e.Err, &closed) && (slices.Contains(tokenCodes, closed.Code) || tokenReason.MatchString(closed.Text))
}

// tryAgainLater returns the wait that close code 1013 (try again later) asks for, as a
// failure like one of status 503; nil for another code.
func (e *End) tryAgainLater() *Failure {
	if e.Cause != ClosedByPeer || e.Code != websocket.CloseTryAgainLater {
		return nil
	}
	return &Failure{Cause: Unavailable, RetryAfter: laterIn(e.Err), err: e.Err}
}

// laterText matches the seconds in the text of a close frame with code 1013.
var laterText = regexp.MustCompile(`(?i)retry.?after\D{0,4}(\d{1,9})`)

func laterIn(err error) time.Duration {
	closed := (*websocket.CloseError)(nil)
	if !errors.As(err, &closed) {
		return 0
	}
	found := laterText.FindStringSubmatch(closed.Text)
	if found == nil {
		return 0
	}
	return retryAfter(found[1], time.Time{})
}

// Graceful reports whether the peer was able to send all its data before the end.
func (e *End) Graceful() bool {
	return e.Cause == Shutdown || e.Cause == ClosedByPeer || e.Cause == Gone
}

// causeOf returns the cause of the error of a read, and the code of the peer's close
// frame; 0 without one.
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
	case isConnectionError(err):
		return Reset, 0
	default: // gorilla's errors of a violation of RFC 6455 have no type
		return ProtocolError, 0
	}
}

// isConnectionError reports whether an error is of the connection, not of RFC 6455.
func isConnectionError(err error) bool {
	var (
		operation *net.OpError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	return errors.As(err, &operation) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}
