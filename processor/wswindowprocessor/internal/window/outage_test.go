// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// incomplete are the starts of the windows of a tenant that are not complete, and how
// many windows it has, in s.
func incomplete(windows []wsevent.Window, tenant string) (starts []int64, all int) {
	for _, w := range windows {
		if w.Tags.TenantID != tenant {
			continue
		}
		all++
		if !w.Complete {
			starts = append(starts, (int64(w.Start)-base)/1_000)
		}
	}
	return starts, all
}

// One of two sockets is down while the other one goes on: half of the events are
// missing, whether it comes back or not.
func TestOutage_OneOfTwoConnections(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"comes back": true, "does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(defaults())
			socket := func(kind Kind, ms int64, number uint16) Event {
				event := at(kind, ms, 0)
				event.Socket = number
				return event
			}
			live(e, acme, socket(Connected, -1_000, 0), socket(Connected, -1_000, 1))
			for ms := int64(0); ms < 100_000; ms += 500 {
				switch {
				case ms == 25_000:
					live(e, acme, socket(Disconnected, ms, 1))
				case ms == 55_000 && back:
					live(e, acme, socket(Connected, ms, 1))
				}
				live(e, acme, at(MessageSend, ms, 1))
			}
			starts, all := incomplete(e.Drain(), acme.TenantID)
			want := []int64{20, 30, 40, 50}
			if !back {
				want = append(want, 60, 70, 80)
			}
			assert.GreaterOrEqual(t, all, 9)
			assert.Equal(t, append([]int64{-10}, want...), append([]int64{-10}, starts[len(starts)-len(want):]...))
		})
	}
}

// A tenant that is silent since a restart shares the outages of the socket that carries it.
func TestOutage_ConnectionOfATenantWithoutEvents(t *testing.T) {
	t.Parallel()
	const source = "ccaas_ws/0"
	config := defaults()
	config.TrackChanges = true
	silent := wsevent.Tags{TenantID: "silent", Region: "r2", ChannelType: "voice"}
	own := wsevent.Tags{TenantID: "configured", Region: "r1", ChannelType: wsevent.Unknown}
	from := func(e *Engine, tags wsevent.Tags, ms int64, events ...Event) {
		e.ObserveFrom(source, []Group{{Tags: tags, Events: events}}, base+ms)
	}
	e := New(config)
	from(e, own, 0, at(Connected, 0, 0))
	from(e, silent, 1_000, at(ConnectionOpen, 1_000, 1))
	disk := saved(t, e)
	disk.savedAt = base + 5_000
	e = disk.restore(t, config, base+6_000)
	from(e, own, 7_000, at(Connected, 7_000, 0))
	var windows []wsevent.Window
	for ms := int64(7_000); ms < 100_000; ms += 500 {
		switch ms {
		case 32_000:
			from(e, own, ms, at(Disconnected, ms, 0))
		case 61_000:
			gap := at(Gap, 32_000, 0)
			gap.GapEnd = base + ms
			from(e, own, ms, gap, at(Connected, ms, 0))
		}
		e.Delivered(source, base+ms, base+ms)
		e.Advance(base + ms)
		windows = append(windows, e.Drain()...)
	}
	for _, w := range windows {
		if w.Tags == silent {
			start := (int64(w.Start) - base) / 1_000
			assert.Equal(t, start >= 10 && start < 30 || start >= 70, w.Complete, "%d", start)
			assert.False(t, start >= 40 && start < 60, "nothing is said of the outage: %d", start)
		}
	}
	_, all := incomplete(windows, "silent")
	assert.GreaterOrEqual(t, all, 5)
}

// A collector is killed while it reads the past. What was lost with it was in windows of
// the past.
func TestOutage_RestartDuringAReplay(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	past := func(ms int64) Event {
		event := at(MessageSend, ms-2*hour, 1)
		event.Observed = event.Time
		return event
	}
	e := New(config)
	for ms := int64(0); ms < 5_000; ms += 100 {
		observe(e, acme, []Event{past(ms)}, base+ms)
	}
	disk := saved(t, e)
	disk.savedAt = base + 5_000
	e = disk.restore(t, config, base+9_000) // what came up to 7 s is lost
	for ms := int64(7_000); ms < 40_000; ms += 100 {
		observe(e, acme, []Event{past(ms)}, base+ms+2_000)
	}
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, int64(80), windows[0].Counts.MessagesSent)
	assert.False(t, windows[0].Complete)
	for _, w := range windows[1:] {
		assert.True(t, w.Complete)
		assert.Equal(t, int64(100), w.Counts.MessagesSent)
	}
}

// With another size, what was counted before is in no window: those that it would be in
// say so.
func TestOutage_AnyTimeOfTheGrid(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	for ms := int64(0); ms < 8_500; ms += 100 {
		live(e, acme, at(MessageSend, ms, 1))
	}
	disk := saved(t, e)
	disk.savedAt = base + 8_500
	config.Size = 2 * time.Second
	e = disk.restore(t, config, base+8_600)
	for ms := int64(8_600); ms < 20_000; ms += 100 {
		live(e, acme, at(MessageSend, ms, 1))
	}
	for _, w := range e.Drain() {
		assert.Equal(t, int64(w.Start) >= base+10_000, w.Complete, "%d", int64(w.Start)-base)
	}
}

// Whether an event is late does not depend on a restart in between.
func TestRestart_KeepsTheClockOffset(t *testing.T) {
	t.Parallel()
	read := func(ms, observed int64) Event {
		event := at(MessageSend, ms, 1)
		event.Observed = base + observed
		return event
	}
	for name, events := range map[string][]Event{
		"ahead": {read(1_000, 1_100), read(23_000, 9_500), read(9_400, 12_500)},
		"quiet": {read(1_000, 1_100), read(5_000, 5_100), read(8_000, 14_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := defaults()
			config.TrackChanges = true
			for _, now := range []int64{base + 15_000, base + 2*hour} {
				e := New(config)
				observe(e, acme, events[:2], now)
				disk := saved(t, e)
				disk.savedAt = now
				e = disk.restore(t, config, now+1_000)
				observe(e, acme, events[2:], now+2_000)
				e.Advance(now + 100_000)
				assert.Equal(t, int64(1), e.Stats().LateEvents)
			}
		})
	}
}

// A receiver was killed while its socket was down. The next one does not know of all its
// streams when it connects; the signs that it gives of them bring them up.
func TestOutage_EndsWithAHeartbeatOfItsConnection(t *testing.T) {
	t.Parallel()
	e := begun()
	live(e, acme, Event{Kind: Disconnected, Time: base + 12_500})
	for s := int64(25); s <= 60; s++ {
		live(e, acme, at(MessageSend, s*1_000, 1), alive(s*1_000+1))
	}
	starts, all := incomplete(e.Drain(), acme.TenantID)
	assert.Equal(t, []int64{20}, starts)
	assert.Equal(t, 4, all, "0, 20, 30 and 40: nothing is said of 10")
}

// A collector is killed, and killed again before anything has come: what the first kill
// lost is still missing.
func TestOutage_TwoRestarts(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, at(MessageSend, 1_000, 1), at(MessageSend, 2_000, 1))
	disk := saved(t, e)
	disk.savedAt = base + 2_000 // what comes up to 8 s is lost
	e = disk.restore(t, config, base+8_500)
	disk = saved(t, e)
	disk.savedAt = base + 10_500
	e = disk.restore(t, config, base+10_600)
	for ms := int64(11_000); ms < 35_000; ms += 500 {
		live(e, acme, at(MessageSend, ms, 1))
	}
	starts, all := incomplete(e.Drain(), acme.TenantID)
	assert.Equal(t, []int64{0, 10}, starts)
	assert.Equal(t, 3, all)
}
