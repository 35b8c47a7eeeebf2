// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// errClosing: the socket takes no more frames, and none of the bytes were written.
var errClosing = errors.New("the socket is closing")

// endedBy is who ended a socket.
type endedBy uint8

const (
	byClient endedBy = iota
	byReset
	byClose
)

// Socket is one client's WebSocket. Gorilla upgrades it and reads from it; complete
// frames are written here, many to a write, so that nothing else may write.
type Socket struct {
	conn     *websocket.Conn
	net      net.Conn
	accepted time.Time
	timeout  time.Duration

	Api    truth.API
	client string
	expiry time.Time   // of the token it was accepted with; zero: it has none
	ready  atomic.Bool // to be sent events

	// What its API sets before the hub serves it.
	State             any                        // the API's own
	Replaces          *Socket                    // is closed once this one is served; nil: none
	OnText            func(text []byte)          // receives the client's text frames; nil: they are ignored
	HeartbeatInterval time.Duration              // 0: no heartbeats
	HeartbeatFrame    []byte                     //
	ClosingNotice     []byte                     // announces that it will be closed; nil: it is not announced
	ExpiryNotice      func(reason string) []byte // precedes the close of an expired socket; nil: nothing does

	closeBy time.Time // the announced deadline; under the hub's mu

	writing sync.Mutex // held over a write, so that frames never mix

	mu      sync.Mutex
	cause   endedBy
	closing bool
	end     *time.Timer // ends the socket when its time has come
}

func newSocket(conn *websocket.Conn, of truth.API, now time.Time, timeout time.Duration) *Socket {
	return &Socket{conn: conn, net: conn.NetConn(), Api: of, accepted: now, timeout: timeout}
}

// Write sends complete frames, and closes the socket when it cannot. With
// errClosing nothing was sent; with another error, some may have been.
func (s *Socket) Write(frames []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosing() {
		return errClosing
	}
	return s.writeLocked(frames)
}

func (s *Socket) writeLocked(frames []byte) error {
	if err := s.net.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return errClosing
	}
	n, err := s.net.Write(frames)
	if err == nil {
		return nil
	}
	s.markClosing(byClient)
	_ = s.net.Close() // the read loop returns, and removes the socket
	if n == 0 {
		return errClosing
	}
	return err
}

// Authorize lets a socket that is not served yet get events from the start.
func (s *Socket) Authorize(g Grant) {
	s.Hold(g)
	s.ready.Store(true)
}

// Hold sets whose socket it is that is not served yet, and when its token expires.
func (s *Socket) Hold(g Grant) { s.client, s.expiry = g.Client, g.Expiry }

// SetReady sets whether the socket gets events.
func (s *Socket) SetReady(ready bool) { s.ready.Store(ready) }

// SendText sends one text frame; a socket that is closing does not get it.
func (s *Socket) SendText(text []byte) { _ = s.Write(Message(OpText, text)) }

// Deliver writes complete frames, and returns their outcome.
func (s *Socket) Deliver(frames []byte) truth.Outcome {
	switch err := s.Write(frames); {
	case err == nil:
		return truth.Sent
	case errors.Is(err, errClosing):
		return truth.Missed
	default:
		return truth.Unsure
	}
}

// beat sends heartbeats until the socket ends.
func (s *Socket) beat(ended <-chan struct{}, silent func() bool) {
	ticker := time.NewTicker(s.HeartbeatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			if !silent() {
				s.SendText(s.HeartbeatFrame)
			}
		}
	}
}

// read responds to pings, and passes the client's frames on, until the socket ends.
func (s *Socket) read(silent func() bool) {
	s.conn.SetReadLimit(1 << 20)
	s.conn.SetPingHandler(func(data string) error {
		if silent() {
			return nil
		}
		return s.Write(Message(opPong, []byte(data)))
	})
	s.conn.SetCloseHandler(func(code int, _ string) error {
		if s.markClosing(byClient) {
			s.writing.Lock()
			defer s.writing.Unlock()
			_ = s.writeLocked(Message(opClose, closePayload(code, ""))) // it may be closed already
		}
		return nil
	})
	for {
		_, text, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if s.OnText != nil && !silent() {
			s.OnText(text)
		}
	}
}

// Close sends a close frame. The client's own, or nothing from it for a while, ends
// the socket.
func (s *Socket) Close(code int, reason string) {
	if !s.markClosing(byClose) {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.net.SetReadDeadline(time.Now().Add(closeWait))
	_ = s.writeLocked(Message(opClose, closePayload(code, reason)))
}

// Expire closes a socket whose authorization has ended, with its API's notice.
func (s *Socket) Expire(reason string) {
	if s.ExpiryNotice != nil {
		s.SendText(s.ExpiryNotice(reason))
	}
	s.Close(websocket.ClosePolicyViolation, reason)
}

// closeWait is how long a client may take to answer a close frame.
const closeWait = time.Second

// Reset ends the connection with a TCP reset, in the middle of a frame if
// one is being written.
func (s *Socket) Reset() {
	if !s.markClosing(byReset) {
		return
	}
	ResetConnection(s.net)
}

// ResetConnection ends a TCP connection with a reset, whatever is wrapped around it.
func ResetConnection(connection net.Conn) {
	for {
		switch c := connection.(type) {
		case *net.TCPConn:
			_ = c.SetLinger(0)
			_ = c.Close()
			return
		case *tls.Conn:
			connection = c.NetConn()
		case interface{ NetConn() net.Conn }:
			connection = c.NetConn()
		default:
			_ = c.Close()
			return
		}
	}
}

// markClosing is true for the first who ends the socket.
func (s *Socket) markClosing(who endedBy) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.closing, s.cause = true, who
	return true
}

func (s *Socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// plan sets when and how the socket will end; a nil end is never.
func (s *Socket) plan(after time.Duration, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		s.end.Stop()
		s.end = nil
	}
	if end != nil && !s.closing {
		s.end = time.AfterFunc(after, end)
	}
}

func closePayload(code int, reason string) []byte {
	if code == websocket.CloseNoStatusReceived {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}
