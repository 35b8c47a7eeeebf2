// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

var healthStart = time.Date(2026, time.April, 1, 12, 0, 0, 0, time.UTC)

func closedWith(at time.Time, code int, text string) *wsclient.End {
	return &wsclient.End{Cause: wsclient.ClosedByPeer, Code: code, At: at, LastActivity: at, WithToken: true, Err: &websocket.CloseError{Code: code, Text: text}}
}

func passing(text string) *wsclient.Failure {
	return wsclient.NewFailure(wsclient.Unreachable, false, errors.New(text))
}

func TestHealth_SocketsThatDoNotLast(t *testing.T) {
	t.Parallel()
	h := newHealth(healthStart)
	var reported error
	for second := range 120 {
		at := healthStart.Add(time.Duration(second) * time.Second)
		h.connected(at)
		trouble := h.trouble(at)
		h.disconnected(closedWith(at.Add(50*time.Millisecond), 4401, "Unauthorized"))
		between := h.trouble(at.Add(500 * time.Millisecond))
		if second < 30 {
			require.NoError(t, trouble, second)
			require.NoError(t, h.trouble(at))
			continue
		}
		require.ErrorContains(t, trouble, `no socket has been up for 10s since 2026-04-01T12:00:00Z`)
		require.ErrorContains(t, trouble, `code 4401 ("Unauthorized"), which refuses the token`)
		require.EqualError(t, between, trouble.Error(), "also between attempts, in the same words")
		reported = trouble
	}
	require.Error(t, reported)

	up := healthStart.Add(2 * time.Minute)
	h.connected(up)
	require.Error(t, h.trouble(up.Add(9*time.Second)), "not yet")
	require.NoError(t, h.trouble(up.Add(10*time.Second)), "it lasts")
	h.disconnected(closedWith(up.Add(time.Hour), 1012, ""))
	require.NoError(t, h.trouble(up.Add(time.Hour+29*time.Second)), "an interruption")
	require.ErrorContains(t, h.trouble(up.Add(time.Hour+30*time.Second)), "no socket since 2026-04-01T13:02:00Z: the platform closed the last one with code 1012")
}

// The advice of a refusal is to check oauth2 only where a token was sent.
func TestHealth_RefusalWithoutAToken(t *testing.T) {
	t.Parallel()
	end := closedWith(healthStart, 4401, "Unauthorized")
	require.ErrorContains(t, endReason(end), "check oauth2, ")
	end.WithToken = false
	require.EqualError(t, endReason(end), `the platform closed the last one with code 4401 ("Unauthorized"); `+
		"no token of oauth2 was sent: configure oauth2, or check the credentials in endpoint and session")
}

func TestHealth_Unreachable(t *testing.T) {
	t.Parallel()
	h := newHealth(healthStart)
	at := func(seconds int) time.Time { return healthStart.Add(time.Duration(seconds) * time.Second) }
	require.NoError(t, h.trouble(at(29)))
	require.ErrorContains(t, h.trouble(at(30)), "the first attempt has no result yet")
	h.failed(passing("connection refused"))
	require.NoError(t, h.trouble(at(29)))
	require.EqualError(t, h.trouble(at(30)), "not connected: no socket since 2026-04-01T12:00:00Z: connection refused")

	h.connected(at(40))
	require.NoError(t, h.trouble(at(40)), "the first socket after an outage is enough")
	h.disconnected(closedWith(at(41), 1011, "broken"))
	require.ErrorContains(t, h.trouble(at(41)), "broken", "unless it does not last")
	h.failed(wsclient.NewFailure(wsclient.Unauthorized, true, errors.New("401")))
	require.EqualError(t, h.trouble(at(41)), "401")
}

func TestHealth_PermanentFailures(t *testing.T) {
	t.Parallel()
	permanent := wsclient.NewFailure(wsclient.Unauthorized, true, errors.New("401"))
	h := newHealth(healthStart)
	h.failed(permanent)
	require.EqualError(t, h.trouble(healthStart), "401", "at once")
	h.failed(passing("503"))
	require.NoError(t, h.trouble(healthStart), "another cause")

	h.connected(healthStart)
	h.notRotated(permanent)
	require.EqualError(t, h.trouble(healthStart), "401", "while the old socket works")
	h.notRotated(passing("503"))
	require.NoError(t, h.trouble(healthStart))
	h.notRotated(permanent)
	h.rotated()
	require.NoError(t, h.trouble(healthStart))
}

func TestHealth_ShowsBetweenAttempts(t *testing.T) {
	t.Parallel()
	b := newBench(t, configFor("ws://127.0.0.1:1"))
	var events []*componentstatus.Event
	conn, err := b.connection(0, newStatus(func(event *componentstatus.Event) { events = append(events, event) }), plainDecode)
	require.NoError(t, err)
	began := time.Now()
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	conn.Connected(began, time.Millisecond)
	conn.Disconnected(closedWith(began.Add(50*time.Millisecond), 4401, "Unauthorized"), time.Minute)
	conn.tick(began.Add(29 * time.Second))
	assert.Empty(t, events)
	conn.tick(began.Add(31 * time.Second))
	conn.tick(began.Add(32 * time.Second))
	require.Len(t, events, 1)
	assert.Equal(t, componentstatus.StatusRecoverableError, events[0].Status())
	require.ErrorContains(t, events[0].Err(), "4401")
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("refuses the token").Len())

	conn.Connected(began.Add(time.Minute), time.Millisecond)
	conn.tick(began.Add(time.Minute + 9*time.Second))
	require.Len(t, events, 1)
	conn.tick(began.Add(time.Minute + 11*time.Second))
	require.Len(t, events, 2)
	assert.Equal(t, componentstatus.StatusOK, events[1].Status())

	idle := true
	conn.Disconnected(closedWith(began.Add(time.Hour), 1000, ""), time.Minute)
	conn.idle = func() bool { return idle }
	conn.tick(began.Add(2 * time.Hour))
	require.Len(t, events, 2, "there is nothing to connect for")
	idle = false
	conn.tick(began.Add(2*time.Hour + 31*time.Second))
	require.Len(t, events, 3)
}

func TestRotation_FrequentRotationsAreLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t, configFor("ws://127.0.0.1:1"))
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), plainDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	conn.backoff = wsclient.Backoff{Max: time.Minute}
	at := healthStart
	conn.Connected(at, time.Millisecond)
	hasty := func() int { return b.logs.FilterMessageSnippet("replaced more often").Len() }
	conn.Rotated(wsclient.MaxAge, at.Add(time.Hour))
	assert.Equal(t, 0, hasty())
	for second := range 60 {
		conn.Rotated(wsclient.TokenExpiry, at.Add(time.Hour+time.Duration(second+1)*time.Second))
	}
	assert.Equal(t, 1, hasty(), "once in ten minutes")
}
