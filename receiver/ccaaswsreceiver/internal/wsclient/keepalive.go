// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"time"

	"github.com/gorilla/websocket"
)

// keepAliveLoop sends pings, keep-alive frames, and the close frame.
func (s *socket) keepAliveLoop(ctx context.Context, stop, ended <-chan struct{}) {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	keepAlive, end := s.keepAliveTicker()
	defer end()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			s.writeControl(websocket.PingMessage, nil)
		case <-s.transport.lag.pingDue:
			s.writeControl(websocket.PingMessage, []byte(s.transport.lag.payload()))
		case <-keepAlive:
			switch {
			case !s.transport.lag.reading(time.Now()): // replies may be in unread buffers
				s.unanswered.Store(0)
			case s.keepAliveExpired():
				_ = s.conn.Close() // ends the read
				continue
			}
			s.unanswered.Add(1)
			_ = s.write(s.keepAlive)
		case <-ctx.Done():
			s.closeGracefully(stop, ended)
			return
		}
	}
}

// keepAliveTicker ticks when a keep-alive frame is due.
func (s *socket) keepAliveTicker() (<-chan time.Time, func()) {
	if s.protocol.KeepAlive.Interval == 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(s.protocol.KeepAlive.Interval)
	return ticker.C, ticker.Stop
}

// keepAliveExpired reports whether too many keep-alive frames are without a reply.
func (s *socket) keepAliveExpired() bool {
	most := s.protocol.KeepAlive.Unanswered
	return most > 0 && s.protocol.KeepAlive.Expect != nil && int(s.unanswered.Load()) >= most
}

// closeGracefully sends a close frame. Data that the peer sends before its own close
// frame is still read.
func (s *socket) closeGracefully(stop, ended <-chan struct{}) {
	s.writeControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	drained := time.NewTimer(drainTimeout)
	defer drained.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			return
		case <-drained.C:
			if s.transport.lag.reading(time.Now()) {
				_ = s.conn.Close()
				return
			}
			drained.Reset(drainTimeout) // data of the peer is still unread
		case <-stop:
			waiting = false
		}
	}
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		_ = s.conn.Close()
	}
}

// writeControl writes a control frame. An error of the connection also ends the read.
func (s *socket) writeControl(kind int, payload []byte) {
	_ = s.conn.WriteControl(kind, payload, time.Now().Add(writeTimeout))
}
