// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var acme = wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"}

// base is a multiple of every step in these tests, so that windows begin at it.
const base int64 = 1_715_623_200_000

func defaults() Config {
	return Config{
		Size:            10 * time.Second,
		Overlap:         0,
		AllowedLateness: 2 * time.Second,
		IdleTimeout:     2 * time.Second,
		MaxFuture:       5 * time.Minute,
		ChannelTTL:      4 * time.Hour,
		SeriesIdle:      5 * time.Minute,
		MaxSeries:       2000,
		MaxChannels:     1_000_000,
	}
}

func at(kind Kind, ms int64, id uint64) Event {
	return Event{Kind: kind, Time: base + ms, Channel: id, Bytes: 100}
}

func drop(ms int64, id uint64) Event {
	event := at(ConnectionClose, ms, id)
	event.Abnormal = true
	return event
}

// observe observes events of one set of tags.
func observe(e *Engine, tags wsevent.Tags, events []Event, now int64) {
	e.Observe([]Group{{Tags: tags, Events: events}}, now)
}

// live observes each event at its own time.
func live(e *Engine, tags wsevent.Tags, events ...Event) {
	for i := range events {
		observe(e, tags, events[i:i+1], events[i].Time)
	}
}

// brief formats the fields that most tests compare.
func brief(windows []wsevent.Window) []string {
	lines := make([]string, 0, len(windows))
	for i := range windows {
		w := &windows[i]
		line := fmt.Sprintf("%d: active=%d sent=%d received=%d opened=%d closed=%d dropped=%d",
			(int64(w.Start)-base)/1000, w.ActiveConnections, w.Counts.MessagesSent, w.Counts.MessagesReceived,
			w.Counts.ConnectionsOpened, w.Counts.ConnectionsClosed, w.Counts.ConnectionsDropped)
		if w.Counts.LateEvents > 0 {
			line += fmt.Sprintf(" late=%d", w.Counts.LateEvents)
		}
		if !w.Complete {
			line += " incomplete"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestEngine_ChannelOverThreeWindows(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme,
		at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 2_000, 2),
		at(MessageSend, 3_000, 1), at(MessageReceive, 4_000, 2),
		drop(12_000, 1),
		at(MessageSend, 25_000, 2), at(ConnectionClose, 26_000, 2),
	)
	e.Advance(base + 60_000)
	assert.Equal(t, []string{
		"0: active=2 sent=1 received=1 opened=2 closed=0 dropped=0",
		"10: active=2 sent=0 received=0 opened=0 closed=1 dropped=1",
		"20: active=1 sent=1 received=0 opened=0 closed=1 dropped=0",
		"30: active=0 sent=0 received=0 opened=0 closed=0 dropped=0",
		"40: active=0 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
	assert.Zero(t, e.Stats().Channels, "closed channels are dropped")
}

func TestEngine_WindowClosesWithTheWatermark(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(MessageSend, 5_000, 1), at(MessageSend, 11_999, 1))
	assert.Empty(t, e.Drain(), "end + allowed_lateness is not reached")
	live(e, acme, at(MessageSend, 12_000, 1))
	assert.Len(t, e.Drain(), 1)
}

func TestAdvance_IdleStreamFollowsTheWallClock(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(MessageSend, 9_000, 1))
	e.Advance(base + 10_999)
	e.Advance(base + 11_999)
	assert.Empty(t, e.Drain())
	e.Advance(base + 12_000)
	assert.Len(t, e.Drain(), 1)
}

func TestAdvance_IdleReplayKeepsItsTime(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	const now = base + 3_600_000 // the events are an hour old
	observe(e, acme, []Event{at(MessageSend, 1_000, 1)}, now)
	e.Advance(now + 5_000)
	observe(e, acme, []Event{at(MessageSend, 4_000, 1)}, now+5_000)
	assert.Empty(t, e.Drain())
	e.Advance(now + 5_000 + 6_000)
	assert.Equal(t, []string{"0: active=1 sent=2 received=0 opened=0 closed=0 dropped=0"}, brief(e.Drain()))
}

func TestAdvance_PlatformAheadWaitsForTheWallClock(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	observe(e, acme, []Event{at(MessageSend, 95_000, 1)}, base+5_000) // 90 s ahead
	observe(e, acme, []Event{at(MessageSend, 7_000, 1)}, base+7_000)  // in time
	e.Advance(base + 12_000)
	windows := e.Drain()
	require.Len(t, windows, 1, "the right event's window ends in time and is not late")
	assert.Equal(t, int64(1), windows[0].Counts.MessagesSent)
	e.Advance(base + 102_000)
	last := e.Drain()
	assert.Equal(t, int64(1), last[len(last)-1].Counts.MessagesSent)
	assert.Equal(t, int64(2), last[len(last)-1].Totals.MessagesSent)
	assert.Zero(t, e.Stats().LateEvents)
}

func TestObserve_EventOfTheFutureMovesNoWatermark(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(MessageSend, 1_000, 1))
	far := at(ConnectionOpen, 0, 2)
	far.Time = 4_070_908_800_000
	observe(e, acme, []Event{far}, base+2_000)
	live(e, acme, at(MessageSend, 9_000, 1), at(MessageSend, 12_000, 1))
	windows := e.Drain()
	require.Len(t, windows, 1)
	assert.Equal(t, int64(2), windows[0].Counts.MessagesSent)
	assert.Zero(t, windows[0].Counts.ConnectionsOpened)
	assert.Equal(t, int64(1), windows[0].Totals.ConnectionsOpened)
	assert.Equal(t, int64(1), e.Stats().FutureEvents)
	assert.Equal(t, int64(1), windows[0].ActiveConnections)
}

func TestObserve_LateEventsAreReportedAndInTheTotals(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(MessageSend, 1_000, 1), at(MessageSend, 15_000, 1))
	require.Len(t, e.Drain(), 1)
	observe(e, acme, []Event{at(MessageReceive, 2_000, 1)}, base+15_500)
	live(e, acme, at(MessageSend, 25_000, 1))
	windows := e.Drain()
	assert.Equal(t, []string{"10: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 late=1"}, brief(windows))
	assert.Equal(t, wsevent.Counts{MessagesSent: 2, MessagesReceived: 1, PayloadBytes: 300, LateEvents: 1}, windows[0].Totals)
}

func TestObserve_LateEventIsCountedInOpenWindows(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.Overlap = time.Second // windows at 0, 9, 18 … s
	e := New(config)
	live(e, acme, at(MessageSend, 1_000, 1), at(MessageSend, 12_500, 1))
	require.Len(t, e.Drain(), 1)
	observe(e, acme, []Event{at(MessageReceive, 9_500, 1)}, base+12_600) // missed 0, in time for 9
	live(e, acme, at(MessageSend, 30_500, 1))
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, int64(1), windows[0].Counts.MessagesReceived)
	assert.Equal(t, int64(1), windows[0].Counts.LateEvents)
	assert.Equal(t, int64(1), windows[len(windows)-1].Totals.MessagesReceived, "once in the totals")
}

func TestObserve_RepeatedEventCountsOnce(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme,
		at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 1_000, 1), at(MessageSend, 2_000, 1), at(ConnectionOpen, 1_000, 1),
		drop(3_000, 1), drop(3_000, 1), at(MessageSend, 12_000, 9))
	assert.Equal(t, []string{"0: active=1 sent=1 received=0 opened=1 closed=1 dropped=1"}, brief(e.Drain()))
}

func TestChannel_MessageAfterItsCloseDoesNotReopen(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	now := base + 5_000
	observe(e, acme, []Event{drop(4_000, 1), at(MessageSend, 3_900, 1), at(ConnectionOpen, 1_000, 1)}, now)
	live(e, acme, at(MessageSend, 25_000, 2))
	assert.Equal(t, []string{
		"0: active=1 sent=1 received=0 opened=1 closed=1 dropped=1",
		"10: active=0 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

func TestChannel_LateMessageDoesNotOpen(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 2_000, 1), at(MessageSend, 40_000, 2))
	observe(e, acme, []Event{at(MessageSend, 1_500, 1)}, base+41_000) // its channel is closed and dropped
	observe(e, acme, []Event{at(ConnectionOpen, 5_000, 3)}, base+41_000)
	assert.Equal(t, 2, e.Stats().Channels, "a late open counts")
	assert.Equal(t, int64(0), e.Stats().LateEvents, "reported with the next window")
}

func TestChannel_Expires(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.ChannelTTL = 20 * time.Second
	e := New(config)
	live(e, acme, at(ConnectionOpen, 1_000, 1))
	e.Advance(base + 52_000)
	windows := e.Drain()
	assert.Equal(t, []string{
		"0: active=1 sent=0 received=0 opened=1 closed=0 dropped=0",
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"20: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"30: active=0 sent=0 received=0 opened=0 closed=0 dropped=0",
		"40: active=0 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(windows), "neither a close nor a drop")
	assert.Equal(t, int64(1), e.Stats().ExpiredChannels)
	assert.Zero(t, e.Stats().Channels)
}

func TestSeries_IdleSeriesIsEmittedForSeriesIdle(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.SeriesIdle = 30 * time.Second
	e := New(config)
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 2_000, 1))
	e.Advance(base + 1_000_000)
	windows := e.Drain()
	assert.Len(t, windows, 3, "true zeros to 30 s after the last event, then nothing")
	live(e, acme, at(MessageSend, 2_000_000, 1))
	e.Advance(base + 2_012_000)
	windows = e.Drain()
	require.Len(t, windows, 1)
	assert.Equal(t, wsevent.UnixMilli(base+2_000_000), windows[0].Start)
	assert.Equal(t, wsevent.UnixMilli(base), windows[0].Since, "the totals continue")
	assert.Equal(t, int64(1), windows[0].Totals.ConnectionsOpened)
}

func TestEmit_DownStreamHasNoZeros(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(MessageSend, 14_000, 1))
	stream := wsevent.Tags{TenantID: acme.TenantID, Region: acme.Region, ChannelType: wsevent.Unknown}
	live(e, stream, at(Disconnected, 15_000, 0))
	e.Advance(base + 42_000)
	assert.Equal(t, []string{
		"0: active=1 sent=0 received=0 opened=1 closed=0 dropped=0",
		"10: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(e.Drain()), "nothing is said of the windows without a stream")

	live(e, stream, at(Connected, 45_000, 0))
	gap := at(Gap, 14_500, 0)
	gap.GapEnd = base + 45_000
	live(e, stream, gap)
	e.Advance(base + 61_000)
	assert.Equal(t, []string{
		"40: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(e.Drain()))
	e.Advance(base + 71_000)
	assert.Equal(t, []string{"50: active=1 sent=0 received=0 opened=0 closed=0 dropped=0"}, brief(e.Drain()))
}

func TestEmit_DownStreamOfAPlatformBehindHasNoZeros(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	const behind = 90_000
	for ms := int64(1_000); ms < 30_000; ms += 1_000 {
		observe(e, acme, []Event{at(MessageSend, ms, 1)}, base+ms+behind)
	}
	e.Drain()
	observe(e, acme, []Event{at(Disconnected, 30_000+behind, 0)}, base+30_000+behind)
	e.Advance(base + 100_000 + behind)
	for _, w := range e.Drain() {
		assert.Positive(t, w.Counts.MessagesSent, "%d", (int64(w.Start)-base)/1000)
	}
	observe(e, acme, []Event{at(Connected, 100_000+behind, 0)}, base+100_000+behind)
	observe(e, acme, []Event{at(MessageSend, 101_000, 1)}, base+101_000+behind)
	observe(e, acme, []Event{at(MessageSend, 125_000, 1)}, base+125_000+behind)
	assert.Equal(t, []string{
		"100: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
		"110: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()), "the gap is where the stream's own time was")
}

func TestEmit_NoZerosWhileAConnectionIsDown(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	socket := func(kind Kind, ms int64, number uint16) Event {
		event := at(kind, ms, 0)
		event.Socket = number
		return event
	}
	live(e, acme, at(MessageSend, 1_000, 1), socket(Disconnected, 2_000, 1), socket(Disconnected, 3_000, 2), socket(Connected, 5_000, 2),
		at(MessageSend, 15_000, 1), at(MessageSend, 25_000, 1), at(MessageSend, 32_000, 1))
	for _, w := range e.Drain() {
		assert.False(t, w.Complete, "socket 1 is still down")
	}
	live(e, acme, socket(Connected, 33_000, 1), at(MessageSend, 45_000, 1), at(MessageSend, 55_000, 1), at(MessageSend, 62_000, 1))
	assert.Equal(t, []string{
		"30: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
		"40: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
		"50: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

func TestEmit_JumpOfEventTimeIsBounded(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	tags := manyTags(300)
	for i := range tags {
		tags[i].TenantID = "one"
		tags[i].ChannelType = fmt.Sprint("type-", i)
		live(e, tags[i], at(ConnectionOpen, 0, 1))
	}
	live(e, tags[0], at(MessageSend, 4*3_600_000, 1))
	assert.LessOrEqual(t, len(e.Drain()), e.maxDue+len(tags))
	assert.Positive(t, e.Stats().SkippedWindows)
	e.Advance(base + 4*3_600_000 + 12_000)
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, int64(1), windows[len(windows)-1].ActiveConnections, "and continues unchanged")
}

func TestObserve_StreamRecordsMoveNoWatermark(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(MessageSend, 1_000, 1))
	observe(e, acme, []Event{at(Violation, 30_000, 0)}, base+1_000)
	assert.Empty(t, e.Drain())
	observe(e, acme, []Event{at(MessageSend, 2_000, 1)}, base+2_000)
	assert.Zero(t, e.Stats().LateEvents)
}

func TestObserve_ViolationsAloneAreReported(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Violation, 1_000, 0), at(Violation, 2_000, 0), at(Backpressure, 3_000, 0))
	e.Advance(base + 12_000)
	windows := e.Drain()
	require.Len(t, windows, 1)
	assert.Equal(t, wsevent.Counts{ProtocolViolations: 2, BackpressureEvents: 1}, windows[0].Counts)
}

func TestStart_EventTimeReplacesOurClock(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	hour := int64(3_600_000)
	observe(e, acme, []Event{at(Violation, hour, 0)}, base+hour)
	e.Advance(base + hour + 12_000)
	require.Len(t, e.Drain(), 1)
	observe(e, acme, []Event{at(Violation, hour+13_000, 0)}, base+hour+13_000)
	// The platform's events are an hour old: a replay.
	for _, ms := range []int64{1_000, 5_000, 13_000} {
		observe(e, acme, []Event{at(MessageSend, ms, 1)}, base+hour+14_000)
	}
	e.Advance(base + hour + 3*hour)
	windows := e.Drain()
	assert.Zero(t, e.Stats().LateEvents)
	last := windows[len(windows)-1]
	assert.Equal(t, wsevent.Counts{MessagesSent: 3, PayloadBytes: 300, ProtocolViolations: 2}, last.Totals)
	starts := map[int64]int{base + hour: 1}
	for _, w := range windows {
		starts[int64(w.Start)]++
	}
	for start, times := range starts {
		assert.Equal(t, 1, times, "window %d is emitted once", start-base)
	}
}

func TestSeries_BeyondMaxSeriesCountedAsOverflow(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.MaxSeries = 2
	e := New(config)
	for i := range 50 {
		tags := acme
		tags.TenantID = fmt.Sprintf("tenant-%d", i)
		observe(e, tags, []Event{at(MessageSend, 1_000, 1), at(Disconnected, 1_000, 0)}, base+1_000)
	}
	assert.Equal(t, 2, e.Stats().Series)
	assert.LessOrEqual(t, len(e.streams), 3)
	e.Advance(base + 12_000)
	var overflowed, all int64
	for _, w := range e.Drain() {
		all += w.Counts.MessagesSent
		if w.Tags.Overflow {
			overflowed += w.Counts.MessagesSent
			assert.Equal(t, wsevent.Tags{Overflow: true}, w.Tags)
		}
	}
	assert.Equal(t, int64(48), overflowed)
	assert.Equal(t, int64(50), all)
}

func TestChannel_BeyondMaxChannelsIsRefusedAndCounted(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.MaxChannels = 3
	e := New(config)
	for id := range uint64(10) {
		live(e, acme, at(ConnectionOpen, int64(id), id+1))
	}
	assert.Equal(t, 3, e.Stats().Channels)
	assert.Equal(t, int64(7), e.Stats().RefusedChannels)
	e.Advance(base + 12_000)
	windows := e.Drain()
	require.Len(t, windows, 1)
	assert.Equal(t, int64(10), windows[0].Counts.ConnectionsOpened, "the counts stay exact")
	assert.Equal(t, int64(3), windows[0].ActiveConnections)
}

func TestFlush_EmitsOpenWindowsAsIncomplete(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(MessageSend, 9_999, 1))
	e.Flush()
	assert.Equal(t, []string{"0: active=1 sent=1 received=0 opened=1 closed=0 dropped=0 incomplete"}, brief(e.Drain()))
	e.Flush()
	assert.Empty(t, e.Drain(), "once")
}

func TestEmit_JumpOverYearsIsBounded(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(ConnectionOpen, 0, 1), at(ConnectionOpen, 50*365*24*3_600_000, 2))
	windows := e.Drain()
	// The first channel is open for its TTL of four hours, and a 64th of it.
	assert.InDelta(t, 4*360, len(windows), 4*360/64+31)
	assert.Equal(t, int64(1), e.Stats().ExpiredChannels)
}

func TestChannel_RepeatedOpenCountsOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events []Event
		opened int64
	}{
		"behind a message": {[]Event{at(MessageSend, 4_000, 1), at(ConnectionOpen, 5_000, 1), at(ConnectionOpen, 5_000, 1)}, 1},
		"of a second stay": {[]Event{at(ConnectionOpen, 5_000, 1), drop(6_000, 1), at(ConnectionOpen, 7_000, 1), at(ConnectionOpen, 7_000, 1)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(defaults())
			live(e, acme, test.events...)
			e.Advance(base + 20_000)
			assert.Equal(t, test.opened, e.Drain()[0].Counts.ConnectionsOpened)
		})
	}
}

// A window with an untracked channel has too few active ones.
func TestChannel_BeyondMaxChannelsWindowsAreIncomplete(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.MaxChannels = 3
	e := New(config)
	for id := range uint64(10) {
		live(e, acme, at(ConnectionOpen, int64(id), id+1))
	}
	e.Advance(base + 32_000)
	windows := e.Drain()
	require.Len(t, windows, 3)
	assert.False(t, windows[0].Complete)
	assert.True(t, windows[1].Complete)
}
