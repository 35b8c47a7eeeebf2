// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"time"

	"github.com/gorilla/websocket"
)

// attend sends pings, which a live peer answers, keep-alive frames, and the goodbye.
func (s *socket) attend(ctx context.Context, stop, ended <-chan struct{}) {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	keepAlive, end := s.keepAlives()
	defer end()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			s.say(websocket.PingMessage, nil)
		case <-s.wire.lag.due:
			s.say(websocket.PingMessage, []byte(s.wire.lag.payload()))
		case <-keepAlive:
			switch {
			case !s.wire.lag.reading(time.Now()): // the answers may wait in the buffers
				s.unanswered.Store(0)
			case s.deaf():
				_ = s.conn.Close() // reading will tell
				continue
			}
			s.unanswered.Add(1)
			_ = s.write(s.keepAlive)
		case <-ctx.Done():
			s.leave(stop, ended)
			return
		}
	}
}

// keepAlives ticks when a keep-alive frame is due.
func (s *socket) keepAlives() (<-chan time.Time, func()) {
	if s.talk.KeepAlive.Interval == 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(s.talk.KeepAlive.Interval)
	return ticker.C, ticker.Stop
}

// deaf is whether too many keep-alive frames have gone without an answer.
func (s *socket) deaf() bool {
	most := s.talk.KeepAlive.Unanswered
	return most > 0 && s.talk.KeepAlive.Expect != nil && int(s.unanswered.Load()) >= most
}

// leave closes in good order: what the peer has sent until it answers is read.
func (s *socket) leave(stop, ended <-chan struct{}) {
	s.say(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	retired := time.NewTimer(retireWait)
	defer retired.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			return
		case <-retired.C:
			if s.wire.lag.reading(time.Now()) {
				_ = s.conn.Close()
				return
			}
			retired.Reset(retireWait) // what it has sent is still unread
		case <-stop:
			waiting = false
		}
	}
	hurry := time.NewTimer(leaveWait)
	defer hurry.Stop()
	select {
	case <-ended:
	case <-hurry.C:
		_ = s.conn.Close()
	}
}

// say writes a control frame. Where it cannot, reading will tell.
func (s *socket) say(kind int, payload []byte) {
	_ = s.conn.WriteControl(kind, payload, time.Now().Add(writeWait))
}
