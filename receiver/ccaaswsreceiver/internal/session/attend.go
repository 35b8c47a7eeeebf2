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
		case <-keepAlive:
			if s.deaf() {
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
	select {
	case <-ended:
		return
	case <-retired.C:
		_ = s.conn.Close()
		return
	case <-stop:
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
