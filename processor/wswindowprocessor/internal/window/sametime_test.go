// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// reopenedAtOnce is ten channels that are closed and opened again within one second of a
// platform whose times are seconds.
func reopenedAtOnce() (events []Event) {
	for id := range uint64(10) {
		events = append(events, at(ConnectionOpen, 1_000, id+1))
	}
	for id := range uint64(10) {
		events = append(events, at(ConnectionClose, 5_000, id+1), at(ConnectionOpen, 5_000, id+1))
	}
	for i := range events {
		events[i].Observed = events[i].Time
	}
	return append(events, Event{Kind: MessageSend, Time: base + 25_000, Observed: base + 25_000, Channel: 1})
}

func TestChannel_CloseAndOpenAtTheSameTimeInOrderOfArrival(t *testing.T) {
	t.Parallel()
	want := []string{
		"0: active=10 sent=0 received=0 opened=20 closed=10 dropped=0",
		"10: active=10 sent=0 received=0 opened=0 closed=0 dropped=0",
	}
	events := reopenedAtOnce()
	for size := 1; size <= len(events); size++ {
		e := New(defaults())
		for from := 0; from < len(events); from += size {
			batch := events[from:min(from+size, len(events))]
			observe(e, acme, batch, batch[len(batch)-1].Observed)
		}
		assert.Equal(t, want, brief(e.Drain()), "batches of %d", size)
	}
}

func TestChannel_OpenAndCloseAtTheSameTimeInOrderOfArrival(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 1_000, 1), at(ConnectionOpen, 2_000, 2), at(MessageSend, 25_000, 2))
	assert.Equal(t, []string{
		"0: active=2 sent=0 received=0 opened=2 closed=1 dropped=0",
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

func TestSession_CloseAndOpenAtTheSameTime(t *testing.T) {
	t.Parallel()
	e := New(withSessions())
	live(e, acme, of(at(ConnectionOpen, 0, 1), 1), of(at(ConnectionClose, 300_000, 1), 1), of(at(ConnectionOpen, 300_000, 1), 1),
		of(at(ConnectionClose, 600_000, 1), 1), of(at(MessageSend, 700_000, 2), 2))
	sessions := e.DrainSessions()
	assert.Equal(t, []string{
		"channel-1 0-300000 closed sent=0 received=0 bytes=0",
		"channel-1 300000-600000 closed sent=0 received=0 bytes=0",
	}, outlines(sessions))
	assert.NotEqual(t, sessions[0].ID, sessions[1].ID)
}

func TestSession_ReplyAtTheSameTime(t *testing.T) {
	t.Parallel()
	e := New(withSessions())
	live(e, acme, of(at(ConnectionOpen, 0, 1), 1), at(MessageSend, 1_000, 1), at(MessageReceive, 1_000, 1), at(MessageSend, 1_000, 1),
		of(at(ConnectionClose, 2_000, 1), 1), at(MessageSend, 60_000, 2))
	assert.Equal(t, []string{"channel-1 0-2000 closed sent=2 received=1 bytes=300 reply=0s"}, outlines(e.DrainSessions()))
}

func TestState_ReconstructedSumsSurviveARestart(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]Config{"without sessions": defaults(), "with sessions": withSessions()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.TrackChanges = true
			e := New(config)
			live(e, acme, at(Connected, 0, 0), of(at(ConnectionOpen, 1_000, 1), 1), present(1_000, 2),
				past(at(ConnectionOpen, 1_200, 3), 2_000), past(at(ConnectionClose, 1_300, 3), 2_000),
				at(MessageSend, 15_000, 1), at(MessageSend, 25_000, 1))
			want := wsevent.Reconstructed{Opened: 1, Closed: 1, Present: 1}
			windows := e.Drain()
			require.NotEmpty(t, windows)
			require.Equal(t, want, windows[len(windows)-1].Reconstructed)

			e = saved(t, e).restore(t, config, base+26_000)
			live(e, acme, at(MessageSend, 45_000, 1))
			windows = e.Drain()
			require.NotEmpty(t, windows)
			assert.Equal(t, want, windows[len(windows)-1].Reconstructed)
		})
	}
}

// States of before had the sums under the number of the sessions.
func TestState_ReconstructedSumsOfBefore(t *testing.T) {
	t.Parallel()
	want := wsevent.Reconstructed{Opened: 4, Closed: 3, Present: 2}
	written := &message{}
	sums := want
	written.reconstructed(12, &sums)
	of := newSessions(7)
	written.one(12, of.fields)
	read, err := readMessage(written.out)
	require.NoError(t, err)
	s := &series{stream: &stream{}}
	s.fields(read)
	require.NoError(t, read.err)
	assert.Equal(t, want, s.reconstructed)
	require.NotNil(t, s.sessions)
	assert.Equal(t, int64(7), s.sessions.since)
}

// A code of 0 that was sent is kept over a restart; none stays none.
func TestSession_CloseCodeOfZeroIsKept(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{true, false} {
		config := withSessions()
		config.TrackChanges = true
		e := New(config)
		closed := of(at(ConnectionClose, 2_000, 1), 1)
		closed.Detail.CloseCode, closed.Detail.HasCode = 0, sent
		live(e, acme, of(at(ConnectionOpen, 0, 1), 1), closed)
		e = saved(t, e).restore(t, config, base+3_000)
		live(e, acme, at(MessageSend, 60_000, 2))
		sessions := e.DrainSessions()
		require.Len(t, sessions, 1)
		assert.Zero(t, sessions[0].CloseCode)
		assert.Equal(t, sent, sessions[0].CloseCodeKnown)
	}
}
