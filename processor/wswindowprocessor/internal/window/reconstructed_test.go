// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// present is a channel that was open before, by an answer that came at a time.
func present(ms int64, id uint64) Event {
	event := at(ConnectionOpen, ms, id)
	event.Reconstructed = Present
	return event
}

// past is an event out of the history, that came at another time than its own.
func past(event Event, observed int64) Event {
	event.Reconstructed, event.Observed = Past, base+observed
	return event
}

// A channel that was open before counts as active, and not as opened.
func TestReconstructed_PresentChannelIsActiveAndNotOpened(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(MessageSend, 500, 1), present(1_000, 2), present(1_000, 3),
		at(ConnectionClose, 12_000, 3), at(MessageSend, 25_000, 1))
	windows := e.Drain()
	assert.Equal(t, []string{
		"0: active=3 sent=1 received=0 opened=0 closed=0 dropped=0",
		"10: active=3 sent=0 received=0 opened=0 closed=1 dropped=0",
	}, brief(windows))
	assert.Equal(t, wsevent.Reconstructed{Present: 2}, windows[1].Reconstructed)
	assert.Zero(t, windows[1].Totals.ConnectionsOpened)
}

// The clock of the platform is not ours: an answer moves no watermark, so that the events
// of a platform whose clock is behind are not late.
func TestReconstructed_MovesNoWatermark(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]Event{
		"before the first event": {present(30_000, 2)},
		"after the first event":  {{Kind: MessageSend, Time: base, Observed: base + 29_000, Channel: 1}, present(30_000, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(defaults())
			for i := range events {
				observe(e, acme, events[i:i+1], base+30_000)
			}
			for ms := int64(1_000); ms < 40_000; ms += 1_000 { // the platform is half a minute behind
				message := at(MessageReceive, ms, 1)
				message.Observed = base + ms + 30_000
				observe(e, acme, []Event{message}, message.Observed)
			}
			windows := e.Drain()
			require.GreaterOrEqual(t, len(windows), 3)
			for i := range windows {
				assert.Zero(t, windows[i].Counts.LateEvents)
			}
			last := windows[len(windows)-1]
			assert.Equal(t, int64(2), last.ActiveConnections)
			assert.Equal(t, int64(10), last.Counts.MessagesReceived)
		})
	}
}

// What began and ended in a gap is in the totals, and in no window that was emitted.
func TestReconstructed_PastEventsMakeTheTotalsExact(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 2_000, 2),
		at(Disconnected, 3_000, 0), at(Connected, 95_000, 0),
		Event{Kind: Gap, Time: base + 3_000, GapEnd: base + 95_000, Observed: base + 95_000}, at(MessageSend, 96_000, 1))
	e.Drain()
	observed := int64(97_000)
	observe(e, acme, []Event{
		past(drop(20_000, 2), observed),                    // open before the gap, ended in it
		past(at(ConnectionOpen, 30_000, 3), observed),      // began in it, and is open
		past(at(ConnectionOpen, 40_000, 4), observed),      // began and ended in it
		past(at(ConnectionClose, 50_000, 4), observed),     //
		past(at(ConnectionOpen, 30_000, 3), observed),      // repeated
		past(at(ConnectionClose, 96_500, 1), observed+500), // in an open window
	}, base+observed)
	live(e, acme, at(MessageSend, 125_000, 3))
	windows := e.Drain()
	last := windows[len(windows)-1]
	assert.Equal(t, "110: active=1 sent=0 received=0 opened=0 closed=0 dropped=0", brief(windows)[len(windows)-1])
	assert.Equal(t, int64(4), last.Totals.ConnectionsOpened)
	assert.Equal(t, int64(3), last.Totals.ConnectionsClosed)
	assert.Equal(t, int64(1), last.Totals.ConnectionsDropped)
	assert.Equal(t, wsevent.Reconstructed{Opened: 2, Closed: 3}, last.Reconstructed)
	assert.Zero(t, last.Totals.LateEvents, "late is what the stream itself delivers late")
	for i := range windows {
		if int64(windows[i].Start) < base+90_000 {
			t.Errorf("a window of the gap is emitted again: %v", brief(windows[i:i+1]))
		}
	}
}

// A close that was on its way while the platform was asked ends the channel, though it
// is older than the answer.
func TestReconstructed_CloseOfBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(MessageSend, 500, 1), present(9_000, 2))
	observe(e, acme, []Event{at(ConnectionClose, 3_000, 2)}, base+9_100)
	live(e, acme, at(MessageSend, 35_000, 1))
	assert.Equal(t, []string{
		"0: active=2 sent=1 received=0 opened=0 closed=1 dropped=0",
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"20: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

// Open and close of one channel may be in two groups of a batch.
func TestReconstructed_OpenAndCloseInTwoGroups(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(MessageSend, 90_000, 1))
	e.Observe([]Group{
		{Tags: acme, Events: []Event{past(at(ConnectionClose, 50_000, 4), 91_000)}},
		{Tags: acme, Events: []Event{past(at(ConnectionOpen, 40_000, 4), 91_000)}},
	}, base+91_000)
	live(e, acme, at(MessageSend, 125_000, 1))
	windows := e.Drain()
	assert.Equal(t, int64(1), windows[len(windows)-1].ActiveConnections)
}

// The state of reconstructed channels and sums survives a restart.
func TestReconstructed_SurvivesARestart(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, at(Connected, 0, 0), at(MessageSend, 500, 1), present(1_000, 2), past(at(ConnectionOpen, 900, 3), 1_100))
	disk := saved(t, e)
	e = disk.restore(t, config, base+2_000)
	observe(e, acme, []Event{at(ConnectionClose, 950, 2)}, base+2_100)
	live(e, acme, at(MessageSend, 25_000, 1))
	windows := e.Drain()
	last := windows[len(windows)-1]
	assert.Equal(t, int64(2), last.ActiveConnections)
	assert.Equal(t, wsevent.Reconstructed{Opened: 1, Present: 1}, last.Reconstructed)
}

func TestUnconfirmed_ChannelsWithoutAnEventSinceAGap(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 1_000, 2), at(ConnectionOpen, 1_000, 3))
	assert.Zero(t, e.Unconfirmed())
	live(e, acme, at(Disconnected, 3_000, 0), at(Connected, 20_000, 0))
	assert.Equal(t, 3, e.Unconfirmed())
	live(e, acme, at(MessageSend, 21_000, 1), at(ConnectionClose, 22_000, 2))
	assert.Equal(t, 1, e.Unconfirmed())
	live(e, acme, Event{Kind: Healed, Time: base + 3_000, GapEnd: base + 20_000, Observed: base + 23_000})
	assert.Zero(t, e.Unconfirmed())
}

func TestReconciled_IsOfTheWindowsAfterIt(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1),
		Event{Kind: Reconciled, Time: base + 15_000, Observed: base + 15_000, Bytes: -2, Every: 1}, at(MessageSend, 25_000, 1))
	windows := e.Drain()
	require.Len(t, windows, 2)
	assert.Zero(t, windows[0].Reconciled)
	assert.Equal(t, wsevent.Reconciled{Unreconciled: -2, UnreconciledKnown: true, Stuck: 1, StuckKnown: true}, windows[1].Reconciled)
	live(e, acme, at(MessageSend, 1_500_000, 1), at(MessageSend, 1_515_000, 1))
	windows = e.Drain()
	assert.Zero(t, windows[len(windows)-1].Reconciled, "it is of the past: %v", brief(windows[max(0, len(windows)-2):]))
}

// A receiver that was killed reconstructs what it received after its last save. What was
// counted before our own save is not counted again, though the channels that closed then are
// no longer known; what is newer is.
func TestReconstructed_CountedBeforeARestore(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 2_000, 2), at(ConnectionClose, 3_000, 2),
		at(ConnectionOpen, 4_000, 3), at(ConnectionOpen, 5_000, 4), at(MessageSend, 60_000, 1))
	disk := saved(t, e)
	disk.savedAt = base + 60_000
	e = disk.restore(t, config, base+70_000)
	live(e, acme, at(Connected, 70_000, 0), at(MessageSend, 71_000, 1))
	const observed = 72_000
	observe(e, acme, []Event{
		past(at(ConnectionOpen, 2_000, 2), observed),   // counted, and the channel is forgotten
		past(at(ConnectionClose, 3_000, 2), observed),  //
		past(at(ConnectionOpen, 4_000, 3), observed),   // counted, and open
		past(at(ConnectionClose, 65_000, 3), observed), // ended in the downtime
		past(at(ConnectionOpen, 62_000, 5), observed),  // began in it
		past(at(ConnectionOpen, 63_000, 6), observed),  // began and ended in it
		past(at(ConnectionClose, 64_000, 6), observed), //
	}, base+observed)
	live(e, acme, at(MessageSend, 125_000, 1))
	windows := e.Drain()
	last := windows[len(windows)-1]
	assert.Equal(t, int64(3), last.ActiveConnections)
	assert.Equal(t, int64(6), last.Totals.ConnectionsOpened)
	assert.Equal(t, int64(3), last.Totals.ConnectionsClosed)
}
