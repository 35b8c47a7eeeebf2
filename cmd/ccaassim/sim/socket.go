// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"sync"
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
	expiry   time.Time // of the token it was let in with
	timeout  time.Duration

	writing sync.Mutex // held over a write, so that frames never mix

	mu      sync.Mutex
	leaving leave
	closing bool
	fate    *time.Timer // ends the socket when its time has come
}

func newSocket(conn *websocket.Conn, now, expiry time.Time, timeout time.Duration) *socket {
	return &socket{conn: conn, net: conn.NetConn(), accepted: now, expiry: expiry, timeout: timeout}
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

// read answers pings until the socket ends.
func (s *socket) read(silent func(age time.Duration) bool) {
	s.conn.SetReadLimit(1 << 20)
	s.conn.SetPingHandler(func(data string) error {
		if silent(time.Since(s.accepted)) {
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
		if _, _, err := s.conn.NextReader(); err != nil {
			return
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
