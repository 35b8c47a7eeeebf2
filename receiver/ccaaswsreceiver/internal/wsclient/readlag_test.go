// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLag(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	at := begin.Add
	l := &readLag{pingDue: make(chan struct{}, 1)}
	l.beginRead(at(0))
	assert.Equal(t, at(time.Second), l.readTo(at(time.Second)), "a read waits for the peer")
	l.endRead(at(0), at(time.Second), true)
	assert.Equal(t, at(time.Second), l.readTo(at(10*time.Second)), "the handler blocks")

	l.beginRead(at(10 * time.Second))
	require.Len(t, l.pingDue, 1, "a ping is due")
	<-l.pingDue
	l.endRead(at(10*time.Second), at(10*time.Second), true)
	l.beginRead(at(10 * time.Second))
	assert.Equal(t, at(time.Second), l.readTo(at(10*time.Second)), "what waited in the buffers is not read yet")
	l.endRead(at(10*time.Second), at(11*time.Second-1), true)
	l.pong("lag 0", at(11*time.Second)) // of no ping of ours
	l.pong("", at(11*time.Second))
	assert.Equal(t, at(time.Second), l.readTo(at(11*time.Second)))

	l.beginRead(at(20 * time.Second)) // blocked once more before the answer
	l.endRead(at(20*time.Second), at(20*time.Second), true)
	l.pong("lag 1", at(20*time.Second))
	assert.Equal(t, at(11*time.Second-1), l.readTo(at(20*time.Second)), "it speaks for the first block only")
	require.Len(t, l.pingDue, 1)
	l.pong("lag 2", at(20*time.Second))
	assert.Equal(t, at(20*time.Second), l.readTo(at(21*time.Second)))
}

func TestLag_EndsWithoutPong(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	for name, read := range map[string]func(*readLag){
		"data after a wait": func(l *readLag) { l.endRead(at(10), at(12), true) },
		"for ever": func(l *readLag) {
			for second := 10; second <= 41; second++ {
				l.endRead(at(second), at(second), true)
				l.beginRead(at(second))
			}
			l.endRead(at(41), at(41), true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &readLag{pingDue: make(chan struct{}, 1)}
			l.beginRead(at(0))
			l.endRead(at(0), at(0), true)
			l.beginRead(at(10))
			read(l)
			assert.Zero(t, l.behind.Load())
		})
	}
	l := &readLag{pingDue: make(chan struct{}, 1)}
	l.beginRead(at(0))
	l.endRead(at(0), at(0), true)
	l.beginRead(at(10))
	assert.Equal(t, at(0), l.readTo(at(12)))
	assert.Equal(t, at(16), l.readTo(at(16)), "nothing comes: the buffers are empty")
	l.endRead(at(10), at(45), false)
	assert.Equal(t, at(0).UnixNano(), l.behind.Load(), "but the socket died unread")
}

func TestSession_BlockedHandlerIsNoTimeout(t *testing.T) {
	t.Parallel()
	to := &witness{}
	f := &fake{socket: func(conn *websocket.Conn) {
		// A platform that answers keep-alive frames, and sends on.
		outgoing, over := make(chan string, 1000), make(chan struct{})
		// A pong waits behind the text before it: a write that times out would end the connection.
		conn.SetPingHandler(func(payload string) error {
			outgoing <- "pong:" + payload
			return nil
		})
		var writing sync.WaitGroup
		writing.Go(func() {
			ticker := time.NewTicker(10 * time.Second)
			defer ticker.Stop()
			for id := 0; ; {
				text := ""
				select {
				case <-over:
					return
				case text = <-outgoing:
				case <-ticker.C:
					text = fmt.Sprintf("event %d", id)
					id++
				}
				if payload, isPong := strings.CutPrefix(text, "pong:"); isPong {
					if conn.WriteControl(websocket.PongMessage, []byte(payload), time.Time{}) != nil {
						return
					}
					continue
				}
				if conn.WriteMessage(websocket.TextMessage, []byte(text)) != nil {
					return
				}
			}
		})
		defer writing.Wait()
		defer close(over)
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if string(text) == "ping" {
				outgoing <- "pong"
			}
		}
	}}
	var behind time.Duration
	to.onText = func() {
		if len(to.texts) == 3 {
			time.Sleep(20 * time.Minute)
			now := time.Now()
			behind = now.Sub(to.session.ReadTo(now))
		}
	}
	play(t, f, to, 30*time.Minute, func(set *Settings) {
		set.Protocol.KeepAlive = KeepAlive{Send: "ping", Expect: NewPattern("pong"), Interval: 30 * time.Second, Unanswered: 5}
		set.Protocol.IdleTimeout = 40 * time.Minute
		set.Rotation.MaxAge, set.Heartbeat.Timeout = 0, 40*time.Minute
	})
	assert.GreaterOrEqual(t, behind, 20*time.Minute)
	require.Len(t, to.ends, 1)
	assert.Equal(t, Shutdown, to.ends[0].Cause, "our own silence is not the peer's: %v", to.ends[0].Err)
	for id, text := range to.texts {
		assert.Equal(t, fmt.Sprintf("event %d", id), text, "nothing is lost")
	}
}
