// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	// writeWait bounds the writing of a control frame.
	writeWait = 5 * time.Second
	// leaveWait is how long a peer may take to answer our goodbye.
	leaveWait = time.Second
	// initialBuffer holds most frames at once; it grows for others.
	initialBuffer = 64 << 10
	// largestPiece is how much of a frame that is too large is handed over.
	largestPiece = 8 << 10
	// maxDiscard, times the largest frame, is how much of a frame that is too
	// large is read and thrown away before we leave.
	maxDiscard = 16
)

// errFrameTooLarge is why we leave a socket: a frame has no end.
var errFrameTooLarge = errors.New("a frame is larger than 16 times max_frame_size")

// End is how a socket ended.
type End struct {
	Cause Cause
	Code  int       // of the peer's close frame; 0 where there is none
	At    time.Time // when we noticed
	Heard time.Time // when the peer gave its last sign of life
	Err   error
}

// socket is a WebSocket that is up.
type socket struct {
	conn     *websocket.Conn
	line     *wire
	interval time.Duration // between pings
	limit    int           // bytes of a frame
	buffer   []byte        // one byte more than the limit, at most
}

func newSocket(conn *websocket.Conn, line *wire, interval time.Duration, limit int) *socket {
	return &socket{conn: conn, line: line, interval: interval, limit: limit, buffer: make([]byte, min(initialBuffer, limit+1))}
}

// read hands frames over until the socket ends. When ctx does, it says goodbye.
func (s *socket) read(ctx context.Context, to Handler) *End {
	ended := make(chan struct{})
	var attending sync.WaitGroup
	attending.Go(func() { s.attend(ctx, ended) })
	err := s.frames(to)
	if errors.Is(err, errFrameTooLarge) {
		s.say(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""))
	}
	close(ended)
	attending.Wait()
	_ = s.conn.Close()

	end := &End{At: time.Now(), Heard: s.line.heard, Err: err}
	end.Cause, end.Code = causeOf(err)
	if ctx.Err() != nil {
		end.Cause = Shutdown
	}
	if end.Cause == ProtocolError {
		to.Violation(wsevent.ViolationProtocolOrder, []byte(err.Error()), s.line.heard)
	}
	return end
}

// attend sends pings, which a live peer answers, and the goodbye.
func (s *socket) attend(ctx context.Context, ended <-chan struct{}) {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			s.say(websocket.PingMessage, nil)
		case <-ctx.Done():
			s.leave(ended)
			return
		}
	}
}

// leave closes in good order: what the peer has sent until it answers is read.
func (s *socket) leave(ended <-chan struct{}) {
	timer := time.NewTimer(leaveWait)
	defer timer.Stop()
	s.say(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	select {
	case <-ended:
	case <-timer.C:
		_ = s.conn.Close()
	}
}

// say writes a control frame. Where it cannot, reading will tell.
func (s *socket) say(kind int, payload []byte) {
	_ = s.conn.WriteControl(kind, payload, time.Now().Add(writeWait))
}

// frames reads frame after frame into the one buffer, until an error.
func (s *socket) frames(to Handler) error {
	for {
		kind, reader, err := s.conn.NextReader()
		if err != nil {
			return err
		}
		n, err := s.fill(reader)
		switch {
		case err != nil:
			return err
		case n > s.limit:
			to.Violation(wsevent.ViolationFrameTooLarge, s.buffer[:min(n, largestPiece)], s.line.heard)
			err = s.discard(reader)
		case n == 0: // some platforms use empty frames as a heartbeat
		case kind == websocket.BinaryMessage:
			to.Violation(wsevent.ViolationBinaryFrame, s.buffer[:n], s.line.heard)
		default:
			to.Text(s.buffer[:n], s.line.heard)
		}
		if err != nil {
			return err
		}
	}
}

// fill reads a frame into the buffer, or as much of it as shows that it is too
// large.
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
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// discard reads the rest of a frame that is too large, as long as that has an end.
func (s *socket) discard(from io.Reader) error {
	most := int64(maxDiscard) * int64(s.limit)
	n, err := io.Copy(io.Discard, io.LimitReader(from, most))
	if err == nil && n == most {
		return errFrameTooLarge
	}
	return err
}

// causeOf tells from the error of a read how a socket ended, and the code of the
// peer's close frame if there was one.
func causeOf(err error) (Cause, int) {
	closed := (*websocket.CloseError)(nil)
	network := net.Error(nil)
	switch {
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
