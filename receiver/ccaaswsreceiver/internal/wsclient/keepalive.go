// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"time"

	"github.com/gorilla/websocket"
)

// attend sends pings, which a live peer answers, keep-alive frames, and the goodbye.
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
			case !s.transport.lag.reading(time.Now()): // the answers may wait in the buffers
				s.unanswered.Store(0)
			case s.keepAliveExpired():
				_ = s.conn.Close() // reading will tell
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

// keepAlives ticks when a keep-alive frame is due.
func (s *socket) keepAliveTicker() (<-chan time.Time, func()) {
	if s.protocol.KeepAlive.Interval == 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(s.protocol.KeepAlive.Interval)
	return ticker.C, ticker.Stop
}

// deaf is whether too many keep-alive frames have gone without an answer.
func (s *socket) keepAliveExpired() bool {
	most := s.protocol.KeepAlive.Unanswered
	return most > 0 && s.protocol.KeepAlive.Expect != nil && int(s.unanswered.Load()) >= most
}

// leave closes in good order: what the peer has sent until it answers is read.
func (s *socket) closeGracefully(stop, ended <-chan struct{}) {
	s.writeControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	retired := time.NewTimer(drainTimeout)
	defer retired.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			return
		case <-retired.C:
			if s.transport.lag.reading(time.Now()) {
				_ = s.conn.Close()
				return
			}
			retired.Reset(drainTimeout) // what it has sent is still unread
		case <-stop:
			waiting = false
		}
	}
	hurry := time.NewTimer(closeTimeout)
	defer hurry.Stop()
	select {
	case <-ended:
	case <-hurry.C:
		_ = s.conn.Close()
	}
}

// say writes a control frame. Where it cannot, reading will tell.
func (s *socket) writeControl(kind int, payload []byte) {
	_ = s.conn.WriteControl(kind, payload, time.Now().Add(writeTimeout))
}
