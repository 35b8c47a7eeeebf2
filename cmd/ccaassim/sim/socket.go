// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// errLeaving is why a socket takes no more frames: none of the bytes were written.
var errLeaving = errors.New("the socket is closing")

// leave is who ended a socket.
type leave uint8

const (
	byClient leave = iota
	byReset
	byClose
)

// socket is one client's WebSocket. Gorilla upgrades it and reads from it; whole
// frames are written here, many to a write, so that nothing else may write.
type socket struct {
	conn     *websocket.Conn
	net      net.Conn
	accepted time.Time
	timeout  time.Duration

	api    api
	client string
	expiry time.Time   // of the token it was let in with; zero: it has none
	ready  atomic.Bool // to be told of events

	channel   *channel          // of a Notifications socket
	insteadOf *socket           // which leaves once this one is there; nil: nobody does
	movesBy   time.Time         // by when that was told to move; under the hub's mu
	heard     func(text []byte) // what the client says; nil: nobody listens
	beatEvery time.Duration     // 0: it says nothing of its own accord
	beatFrame []byte

	writing sync.Mutex // held over a write, so that frames never mix

	mu      sync.Mutex
	leaving leave
	closing bool
	fate    *time.Timer // ends the socket when its time has come
}

func newSocket(conn *websocket.Conn, a api, now time.Time, timeout time.Duration) *socket {
	return &socket{conn: conn, net: conn.NetConn(), api: a, accepted: now, timeout: timeout}
}

// write sends whole frames, and gives the socket up when it cannot. With
// errLeaving nothing was sent; with another error, some may have been.
func (s *socket) write(frames []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosing() {
		return errLeaving
	}
	return s.writeLocked(frames)
}

func (s *socket) writeLocked(frames []byte) error {
	if err := s.net.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return errLeaving
	}
	n, err := s.net.Write(frames)
	if err == nil {
		return nil
	}
	s.markClosing(byClient)
	_ = s.net.Close() // the read loop notices, and takes the socket away
	if n == 0 {
		return errLeaving
	}
	return err
}

// bear lets a socket that is not the hub's yet be told of events from the start.
func (s *socket) bear(g grant) {
	s.client, s.expiry = g.client, g.expiry
	s.ready.Store(true)
}

// say sends one text frame; a socket that is leaving does not get it.
func (s *socket) say(text []byte) { _ = s.write(message(opText, text)) }

// beat says the same again and again until the socket ends.
func (s *socket) beat(ended <-chan struct{}, silent func() bool) {
	ticker := time.NewTicker(s.beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			if !silent() {
				s.say(s.beatFrame)
			}
		}
	}
}

// read answers pings, and what the client says, until the socket ends.
func (s *socket) read(silent func() bool) {
	s.conn.SetReadLimit(1 << 20)
	s.conn.SetPingHandler(func(data string) error {
		if silent() {
			return nil
		}
		return s.write(message(opPong, []byte(data)))
	})
	s.conn.SetCloseHandler(func(code int, _ string) error {
		if s.markClosing(byClient) {
			s.writing.Lock()
			defer s.writing.Unlock()
			_ = s.writeLocked(message(opClose, closePayload(code, ""))) // it may be gone already
		}
		return nil
	})
	for {
		_, text, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if s.heard != nil && !silent() {
			s.heard(text)
		}
	}
}

// close says goodbye with a code. The client's own goodbye, or its silence for a
// while, ends the socket.
func (s *socket) close(code int, reason string) {
	if !s.markClosing(byClose) {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.net.SetReadDeadline(time.Now().Add(closeWait))
	_ = s.writeLocked(message(opClose, closePayload(code, reason)))
}

// expire ends a socket that has lost its right, as its API does.
func (s *socket) expire(why string) {
	if s.api == notifications {
		s.say(notFound(why))
	}
	s.close(websocket.ClosePolicyViolation, why)
}

// closeWait is how long a client may take to answer a close frame.
const closeWait = time.Second

// reset tears the connection down with a TCP reset, in the middle of a frame if
// one is being written.
func (s *socket) reset() {
	if !s.markClosing(byReset) {
		return
	}
	resetConnection(s.net)
}

// resetConnection ends a TCP connection with a reset, whatever is wrapped around it.
func resetConnection(connection net.Conn) {
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
func (s *socket) markClosing(who leave) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.closing, s.leaving = true, who
	return true
}

func (s *socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// plan sets when and how the socket will end; a nil end is never.
func (s *socket) plan(after time.Duration, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fate != nil {
		s.fate.Stop()
		s.fate = nil
	}
	if end != nil && !s.closing {
		s.fate = time.AfterFunc(after, end)
	}
}

func closePayload(code int, reason string) []byte {
	if code == websocket.CloseNoStatusReceived {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}
