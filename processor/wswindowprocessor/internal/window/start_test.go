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

const hour int64 = 3_600_000

// late are events of a stream's past, one a second.
func late(from int64, n int) []Event {
	var events []Event
	for i := range int64(n) {
		events = append(events, at(MessageSend, from+i*1_000, 1))
	}
	return events
}

func TestStart_LateEventsAheadOfLiveOnesMakeNoWindows(t *testing.T) {
	t.Parallel()
	for name, past := range map[string][]Event{
		"one":                   late(-3*hour, 1),
		"some, hours apart":     {at(MessageSend, -3*hour, 1), at(ConnectionOpen, -2*hour, 2), at(MessageSend, -hour, 3)},
		"some, one after other": late(-3*hour, 200),
	} {
		for pause, between := range map[string]int64{"at once": 100, "a minute later": 60_000} {
			if len(past) == 3 && between > 1_000 {
				continue // hours of event time and then a pause are a replay
			}
			t.Run(name+", "+pause, func(t *testing.T) {
				t.Parallel()
				e := New(defaults())
				observe(e, acme, past, base)
				var windows []wsevent.Window
				for now := int64(50); now <= between; now += 50 {
					e.Advance(base + now)
				}
				windows = append(windows, e.Drain()...)
				for ms := between; ms < between+30_000; ms += 1_000 {
					observe(e, acme, []Event{at(MessageReceive, ms, 9)}, base+ms)
				}
				live := e.Drain()
				require.NotEmpty(t, live)
				assert.Less(t, len(windows)+len(live), 40, "no windows of the hours in which nobody listened")
				last := live[len(live)-1]
				assert.Equal(t, int64(1), last.Totals.MessagesReceived/20, "the live ones are counted")
				assert.Equal(t, int64(len(past)), last.Totals.MessagesSent+last.Totals.ConnectionsOpened, "the late ones are in the totals")
				for _, w := range live {
					assert.GreaterOrEqual(t, int64(w.Start), base-lookBack)
				}
			})
		}
	}
}

func TestStart_LateEventsAreCountedAsLate(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	observe(e, acme, late(-3*hour, 3), base+1_000)
	live(e, acme, at(MessageReceive, 1_500, 9), at(MessageReceive, 12_000, 9))
	windows := e.Drain()
	require.Len(t, windows, 1)
	assert.Equal(t, base, int64(windows[0].Start))
	assert.Equal(t, int64(3), windows[0].Counts.LateEvents)
	assert.Zero(t, windows[0].Counts.MessagesSent)
	assert.Equal(t, int64(3), windows[0].Totals.MessagesSent)
}

// A stream that begins in the past is replayed in its own time, whatever the size of
// its batches.
func TestStart_ReplayIsEmittedInItsOwnTime(t *testing.T) {
	t.Parallel()
	const now = base + 5*hour
	for name, size := range map[string]int{"in one batch": 600, "in batches": 100, "one by one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(defaults())
			events := late(0, 600)
			for rest := events; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				observe(e, acme, rest[:min(size, len(rest))], now)
			}
			e.Advance(now + 60_000)
			windows := e.Drain()
			require.GreaterOrEqual(t, len(windows), 60)
			for i := range 60 {
				assert.Equal(t, base+int64(i)*10_000, int64(windows[i].Start))
				assert.Equal(t, int64(10), windows[i].Counts.MessagesSent)
			}
			assert.Zero(t, e.Stats().LateEvents)
		})
	}
}

// A replay of a few events, with hours between them.
func TestStart_SparseReplay(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	observe(e, acme, []Event{at(ConnectionOpen, 0, 1), at(MessageSend, hour, 1), at(ConnectionClose, 2*hour, 1)}, base+10*hour)
	e.Advance(base + 10*hour + 2_000)
	e.Advance(base + 10*hour + 60_000)
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, base, int64(windows[0].Start))
	assert.Equal(t, int64(1), windows[0].Counts.ConnectionsOpened)
	last := windows[len(windows)-1]
	assert.Equal(t, int64(1), last.Totals.MessagesSent)
	assert.Equal(t, int64(1), last.Totals.ConnectionsClosed)
	assert.Zero(t, e.Stats().LateEvents)
}

// What is held when the collector stops is not lost.
func TestStart_HeldEventsAreSaved(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	observe(e, acme, late(-3*hour, 3), base)
	disk := saved(t, e)
	e = disk.restore(t, config, base+1_000)
	live(e, acme, at(MessageReceive, 2_000, 9), at(MessageReceive, 14_000, 9))
	e.Advance(base + 30_000)
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, int64(3), windows[len(windows)-1].Totals.MessagesSent)
}

// Nobody was connected when the first window began.
func TestStart_WindowBeforeTheFirstConnectIsIncomplete(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 4_000, 0), at(ConnectionOpen, 5_000, 1), at(MessageSend, 25_000, 1))
	assert.Equal(t, []string{
		"0: active=1 sent=0 received=0 opened=1 closed=0 dropped=0 incomplete",
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

// A channel's series is where it was opened: what names no channel type follows it.
func TestFollow_EventsWithoutDimensionsFollowTheirChannel(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1))
	unknown, elsewhere := acme, acme
	unknown.ChannelType = wsevent.Unknown
	elsewhere.ChannelType, elsewhere.Region = wsevent.Unknown, "configured"
	now := base + 3_000
	e.Observe([]Group{
		{Tags: unknown, Defaulted: ChannelType, Events: []Event{at(MessageSend, 2_000, 1), at(MessageSend, 2_000, 77)}},
		{Tags: elsewhere, Defaulted: ChannelType | Region, Events: []Event{drop(3_000, 1)}},
	}, now)
	e.Advance(base + 15_000)
	for _, w := range e.Drain() {
		if w.Tags == acme {
			assert.Equal(t, "0: active=1 sent=1 received=0 opened=1 closed=1 dropped=1", brief([]wsevent.Window{w})[0])
		} else {
			assert.Equal(t, unknown, w.Tags)
			assert.Equal(t, "0: active=1 sent=1 received=0 opened=0 closed=0 dropped=0", brief([]wsevent.Window{w})[0], "nobody knows channel 77")
		}
	}
	assert.Equal(t, 1, e.Stats().Channels, "only the one that nobody knew is open")
}

// Dimensions that an event names are its own: it follows no channel elsewhere.
func TestFollow_NamedDimensionsBind(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1))
	other := wsevent.Tags{TenantID: acme.TenantID, Region: "eu", ChannelType: wsevent.Unknown}
	e.Observe([]Group{{Tags: other, Defaulted: ChannelType, Events: []Event{drop(3_000, 1)}}}, base+3_000)
	e.Advance(base + 15_000)
	dropped := map[string]int64{}
	for _, w := range e.Drain() {
		dropped[w.Tags.Region] += w.Counts.ConnectionsDropped
	}
	assert.Equal(t, map[string]int64{acme.Region: 0, "eu": 1}, dropped)
}

func TestReopen(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.ReopenGrace = 2 * time.Second
	for name, test := range map[string]struct {
		events []Event
		open   int
	}{
		"a message 20 ms after the close":           {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 3_000, 1), at(MessageSend, 3_020, 1)}, 0},
		"one that overtakes the close":              {[]Event{at(ConnectionOpen, 1_000, 1), at(MessageSend, 3_020, 1), at(ConnectionClose, 3_000, 1)}, 0},
		"a message at the end of the grace":         {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 3_000, 1), at(MessageSend, 5_000, 1)}, 0},
		"one after it":                              {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 3_000, 1), at(MessageSend, 5_001, 1)}, 1},
		"an open always opens":                      {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 3_000, 1), at(ConnectionOpen, 3_020, 1)}, 1},
		"also one that overtakes the close":         {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 3_020, 1), at(ConnectionClose, 3_000, 1)}, 1},
		"a close of a channel that nobody knew":     {[]Event{at(ConnectionClose, 3_000, 1), at(MessageSend, 3_020, 1)}, 0},
		"and overtaken":                             {[]Event{at(MessageSend, 3_020, 1), at(ConnectionClose, 3_000, 1)}, 0},
		"across the end of a window":                {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 9_990, 1), at(MessageSend, 11_500, 1)}, 0},
		"after the window of the close was emitted": {[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 9_990, 1), at(MessageSend, 12_500, 2), at(MessageSend, 11_500, 1)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(config)
			newest := int64(0)
			messages := int64(0)
			for _, event := range test.events {
				newest = max(newest, event.Time)
				observe(e, acme, []Event{event}, newest)
				if event.Kind == MessageSend {
					messages++
				}
			}
			e.Advance(newest + 60_000)
			assert.Equal(t, test.open, e.Stats().Channels)
			windows := e.Drain()
			assert.Equal(t, messages, windows[len(windows)-1].Totals.MessagesSent, "an echo counts")
			assert.Equal(t, int64(test.open), windows[len(windows)-1].ActiveConnections)
		})
	}
}

// After a restart the receiver knows only its configured tenant; the others on the same
// socket are up with it.
func TestRestart_EveryStreamOfAConnectionIsUpAgain(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	second := wsevent.Tags{TenantID: "second", Region: acme.Region, ChannelType: acme.ChannelType}
	e := New(config)
	group := func(tags wsevent.Tags, events ...Event) Group { return Group{Tags: tags, Events: events} }
	e.ObserveFrom("ccaas_ws/0", []Group{
		group(acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1)), group(second, at(ConnectionOpen, 1_000, 2)),
	}, base+1_000)
	gone := at(Disconnected, 15_000, 0)
	gone.Shutdown = true
	e.ObserveFrom("ccaas_ws/0", []Group{group(acme, gone), group(second, gone)}, base+15_000)
	e.Drain()
	disk := saved(t, e)
	disk.savedAt = base + 15_000
	e = disk.restore(t, config, base+21_000)
	e.ObserveFrom("ccaas_ws/0", []Group{group(acme, at(Connected, 22_000, 0))}, base+22_000)
	for now := int64(22_000); now <= 60_000; now += 1_000 {
		e.Delivered("ccaas_ws/0", base+now, base+now)
		e.Advance(base + now)
	}
	complete := map[string][]int64{}
	for _, w := range e.Drain() {
		if w.Complete {
			complete[w.Tags.TenantID] = append(complete[w.Tags.TenantID], (int64(w.Start)-base)/1_000)
		}
	}
	assert.NotEmpty(t, complete["second"])
	assert.Equal(t, complete[acme.TenantID], complete["second"], "the silent tenant has the windows of the other")
}

// In a broker tier nobody restarts here: the next receiver's events bring the stream up.
func TestRestart_OfTheReceiverAlone(t *testing.T) {
	t.Parallel()
	gone := at(Disconnected, 12_500, 0)
	gone.Shutdown = true
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1), gone, at(MessageSend, 14_000, 1), at(MessageSend, 25_000, 1), at(MessageSend, 35_000, 1))
	assert.Equal(t, []string{
		"0: active=1 sent=0 received=0 opened=1 closed=0 dropped=0",
		"10: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
		"20: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

// While downstream refuses, what the platform does waits in the sockets: its windows
// wait, too.
func TestDelivered_WindowsWaitForUndeliveredEvents(t *testing.T) {
	t.Parallel()
	const source = "ccaas_ws/0"
	from := func(e *Engine, now int64, events ...Event) {
		e.ObserveFrom(source, []Group{{Tags: acme, Events: events}}, base+now)
	}
	blocked := func(e *Engine, since, from, to int64) {
		for now := from; now <= to; now += 500 {
			e.Delivered(source, base+since, base+now)
			e.Advance(base + now)
		}
	}
	t.Run("for less than 30 s", func(t *testing.T) {
		t.Parallel()
		e := New(defaults())
		from(e, 0, at(Connected, 0, 0), at(ConnectionOpen, 0, 1))
		blocked(e, 5_000, 5_000, 30_000)
		assert.Empty(t, e.Drain(), "nobody knows yet what happened")
		for _, ms := range []int64{6_000, 12_000, 18_000, 24_000} { // out of the socket's buffer
			from(e, 30_500, at(MessageSend, ms, 1))
		}
		blocked(e, 42_000, 42_000, 42_000)
		assert.Equal(t, []string{
			"0: active=1 sent=1 received=0 opened=1 closed=0 dropped=0",
			"10: active=1 sent=2 received=0 opened=0 closed=0 dropped=0",
			"20: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
		}, brief(e.Drain())[:3])
	})
	t.Run("for longer", func(t *testing.T) {
		t.Parallel()
		e := New(defaults())
		from(e, 0, at(Connected, 0, 0), at(ConnectionOpen, 0, 1))
		blocked(e, 15_000, 5_000, 80_000)
		var backpressure int64
		for _, w := range e.Drain() {
			assert.Equal(t, int64(w.End) <= base+15_000, w.Complete, "%d", (int64(w.Start)-base)/1_000)
			backpressure += w.Counts.BackpressureEvents
		}
		assert.Equal(t, int64(1), backpressure, "counted while it lasts")
		from(e, 80_500, at(Backpressure, 80_500, 0), at(MessageSend, 80_500, 1))
		blocked(e, 110_000, 110_000, 110_000)
		for _, w := range e.Drain() {
			backpressure += w.Counts.BackpressureEvents
		}
		assert.Equal(t, int64(1), backpressure, "and once")
	})
}

// The examples of docs/windows.md about what changes no window, and about closed
// channels.
func TestExample_READMEVariants(t *testing.T) {
	t.Parallel()
	voice, web := acme, acme
	voice.ChannelType = "voice"
	read := func(ms, observed int64) Event {
		event := at(MessageSend, ms, 0)
		event.Observed = base + observed
		return event
	}
	events := []Group{
		{Tags: web, Events: []Event{read(9_900, 12_600), read(25_000, 25_100)}},
		{Tags: voice, Events: []Event{read(10_800, 10_900), read(12_300, 12_400)}},
	}
	e := New(defaults())
	e.Observe(events, base+hour)
	e.Advance(base + hour + 40_000)
	assert.Equal(t, int64(1), e.Stats().LateEvents, "the one of webmessaging")
	events[0].Events[0].Observed = base + 12_200
	e = New(defaults())
	e.Observe(events, base+hour)
	e.Advance(base + hour + 40_000)
	assert.Zero(t, e.Stats().LateEvents)

	config := defaults()
	config.ReopenGrace = 2 * time.Second
	e = New(config)
	open := func(event Event) bool {
		live(e, acme, event)
		c := e.series[acme].channels.find(1)
		return c != nil && !c.closed()
	}
	assert.True(t, open(at(ConnectionOpen, 1_000, 1)))
	assert.False(t, open(at(ConnectionClose, 5_000, 1)))
	assert.False(t, open(at(MessageSend, 5_020, 1)))
	assert.True(t, open(at(ConnectionOpen, 6_500, 1)))
	assert.False(t, open(at(ConnectionClose, 7_000, 1)))
	assert.True(t, open(at(MessageReceive, 9_500, 1)))
}

// Without idle_timeout nothing is held: the first old event begins the replay.
func TestStart_ReplayWithoutIdleTimeout(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.IdleTimeout = 0
	e := New(config)
	observe(e, acme, late(-3*hour, 30), base)
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, base-3*hour, int64(windows[0].Start))
	assert.Equal(t, int64(10), windows[0].Counts.MessagesSent)
}
