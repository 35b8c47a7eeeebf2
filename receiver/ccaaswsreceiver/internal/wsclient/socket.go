// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	// writeTimeout bounds the write of a frame.
	writeTimeout = 5 * time.Second
	// closeTimeout is the wait for the peer's close frame at shutdown.
	closeTimeout = time.Second
	// drainTimeout is the same for a socket that was replaced: its data is still to be
	// read, and reading may be blocked meanwhile.
	drainTimeout = 30 * time.Second
	// initialBuffer is the initial size of the frame buffer, in bytes.
	initialBuffer = 64 << 10
	// largestPiece is how much of a frame that is too large is reported, in bytes.
	largestPiece = 8 << 10
	// maxDiscard, times the largest frame, is how much of a frame that is too large is
	// discarded before the socket is closed.
	maxDiscard = 16
)

// socket is a WebSocket that is up.
type socket struct {
	conn      *websocket.Conn
	transport *idleTimeoutConn
	number    int
	token     string        // that opened it
	interval  time.Duration // between pings
	limit     int           // bytes of a frame
	buffer    []byte        // one byte more than the limit, at most

	protocol        *Protocol
	hasControls     bool         // some inbound frames are not for the handler
	keepAlive       string       // the frame to be sent
	awaited         *Pattern     // the reply to a handshake frame
	unanswered      atomic.Int32 // keep-alive frames without a reply, in a row
	requestRotation func()       // may block
	truncated       bool         // the last frame is incomplete

	attempt *attempt   // that opened it
	first   trace.Span // the wait for its first frame; nil: it is here, or not traced

	up          time.Time
	rotateAt    time.Time // zero: never
	rotateCause Cause
}

// abandon closes a socket that nobody wants any more.
func (s *socket) abandon() {
	_ = s.conn.Close()
	s.attempt.end()
}

func newSocket(conn *websocket.Conn, line *idleTimeoutConn, set *Settings) *socket {
	limit := set.MaxFrameSize
	conn.SetPongHandler(func(payload string) error {
		line.lag.pong(payload, time.Now())
		return nil
	})
	return &socket{
		conn: conn, transport: line, protocol: &set.Protocol, hasControls: set.Protocol.KeepAlive.Expect != nil || len(set.Protocol.Controls) > 0, interval: set.Heartbeat.Interval,
		limit: limit, buffer: make([]byte, min(initialBuffer, limit+1)),
	}
}

// scheduleRotation sets the time of the rotation: before the first of the token, the
// route and the socket itself expires.
func (s *socket) scheduleRotation(access Access, route *Route, maxAge time.Duration) {
	earlier := func(expires time.Time, why Cause) {
		if !expires.After(s.up) { // zero, or by another clock
			return
		}
		before := margin(expires.Sub(s.up))
		// Jitter: not all sockets at the same instant.
		at := expires.Add(-before + time.Duration(rand.Float64()*float64(before)/4))
		if s.rotateAt.IsZero() || at.Before(s.rotateAt) {
			s.rotateAt, s.rotateCause = at, why
		}
	}
	if !access.RenewAt.IsZero() {
		s.rotateAt, s.rotateCause = access.RenewAt, TokenExpiry
	}
	earlier(route.Expires, RouteExpiry)
	if maxAge > 0 {
		earlier(s.up.Add(maxAge), MaxAge)
	}
}

// read passes frames to the handler until the socket ends. When ctx ends, the socket is
// closed gracefully; when stop is closed, within closeTimeout.
func (s *socket) read(ctx context.Context, stop <-chan struct{}, to Handler, requestRotation func()) *End {
	s.requestRotation = requestRotation
	ended := make(chan struct{})
	var attending sync.WaitGroup
	attending.Go(func() { s.keepAliveLoop(ctx, stop, ended) })
	err := s.frames(to)
	switch control := errControl(""); {
	case errors.Is(err, websocket.ErrReadLimit): // a length that no frame can have
		to.Violation(wsevent.ViolationFrameTooLarge, []byte(err.Error()), s.transport.lastActivity)
		s.writeControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""))
	case errors.Is(err, errFrameTooLarge):
		s.writeControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""))
	case errors.As(err, &control):
		s.writeControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	}
	close(ended)
	attending.Wait()
	_ = s.conn.Close()
	if s.first != nil {
		s.first.SetStatus(codes.Error, "the socket ended before its first frame")
		s.first.End()
	}

	end := &End{At: time.Now(), LastActivity: s.transport.lastActivity, Err: err, WithToken: s.token != "", up: s.up}
	if s.transport.lag.behind.Load() != 0 {
		end.Unread = time.Unix(0, s.transport.lag.behind.Load())
	}
	end.Cause, end.Code = causeOf(err)
	switch {
	case ctx.Err() != nil && (isClosed(stop) || s.complete(err)):
		end.Cause = Shutdown
	case end.Cause == Reset && s.keepAliveExpired():
		end.Cause = Silence
	case end.Cause == ProtocolError:
		to.Violation(wsevent.ViolationProtocolOrder, []byte(err.Error()), s.transport.lastActivity)
	}
	return end
}

// complete reports whether the peer sent all its data: it sent a close frame, or ended
// its side, and the last frame is complete.
func (s *socket) complete(err error) bool {
	closed := (*websocket.CloseError)(nil)
	return errors.As(err, &closed) && !s.truncated
}

func isClosed(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// frames reads frames until an error.
func (s *socket) frames(to Handler) error {
	for {
		if s.protocol.IdleTimeout > 0 {
			s.transport.dataDeadline = time.Now().Add(s.protocol.IdleTimeout)
		}
		if err := s.frame(to); err != nil {
			return err
		}
	}
}

// frame reads one frame, and passes it to the handler unless it is a control frame.
func (s *socket) frame(to Handler) error {
	kind, reader, err := s.conn.NextReader()
	if err != nil {
		return err
	}
	// A frame of empty fragments is endless without growing: their headers count, and
	// control frames between them.
	s.transport.limit((maxDiscard+2)*s.limit + initialBuffer)
	defer s.transport.unlimit()
	n, err := s.fill(reader)
	s.truncated = err != nil
	switch {
	case errors.Is(err, errFrameTooLarge):
		to.Violation(wsevent.ViolationFrameTooLarge, s.buffer[:min(n, largestPiece)], s.transport.lastActivity)
		return err
	case err != nil:
		return err
	case n > s.limit:
		to.Violation(wsevent.ViolationFrameTooLarge, s.buffer[:min(n, largestPiece)], s.transport.lastActivity)
		return s.discard(reader)
	case n == 0:
		return nil
	case kind == websocket.BinaryMessage:
		to.Violation(wsevent.ViolationBinaryFrame, s.buffer[:n], s.transport.lastActivity)
		return nil
	case blank(s.buffer[:n]): // some platforms use blank frames as a heartbeat
		return nil
	}
	text := s.buffer[:n]
	if s.hasControls || s.awaited != nil {
		if mine, err := s.control(text); mine || err != nil {
			return err
		}
	}
	if s.first != nil {
		s.first.End()
		s.first = nil
	}
	to.Text(text, s.transport.lastActivity, s.number)
	return nil
}

// blank reports whether a frame is white space.
func blank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// control handles a frame that is not for the handler. It returns whether it is one.
func (s *socket) control(text []byte) (mine bool, err error) {
	if s.awaited != nil && s.awaited.Matches(text) {
		s.awaited = nil
		return true, nil
	}
	if s.protocol.KeepAlive.Expect.Matches(text) {
		s.unanswered.Store(0)
		return true, nil
	}
	for i := range s.protocol.Controls {
		control := &s.protocol.Controls[i]
		if !control.Match.Matches(text) {
			continue
		}
		switch control.Action {
		case Rotate:
			if s.requestRotation != nil {
				s.requestRotation()
			}
		case Renew:
			return true, errControl(Gone)
		case Throttle:
			return true, errControl(Throttled)
		case Ignore:
		}
		return true, nil
	}
	return false, nil
}

// fill reads a frame into the buffer, up to one byte more than the limit.
func (s *socket) fill(from io.Reader) (int, error) {
	n := 0
	for {
		if n == len(s.buffer) {
			if n > s.limit {
				return n, nil
			}
			larger := make([]byte, min(2*n, s.limit+1))
			copy(larger, s.buffer)
			s.buffer = larger
		}
		read, err := from.Read(s.buffer[n:])
		n += read
		if err == io.EOF { // it ends each frame: errors.Is costs too much here
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// discard reads the rest of a frame that is too large, up to maxDiscard times the limit.
func (s *socket) discard(from io.Reader) error {
	most := int64(maxDiscard) * int64(s.limit)
	n, err := io.Copy(io.Discard, io.LimitReader(from, most))
	if err == nil && n == most {
		return errFrameTooLarge
	}
	return err
}
