// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// alive is a heartbeat of a receiver with an interval of a second.
func alive(ms int64) Event { return Event{Kind: Alive, Time: base + ms, Every: 1_000} }

// asRead sets the observed time of events to their own time.
func asRead(events ...Event) []Event {
	for i := range events {
		events[i].Observed = events[i].Time
	}
	return events
}

func up(ms int64) Event { return Event{Kind: Connected, Time: base + ms, Every: 1_000} }

// heartbeats observes all heartbeats of a time range, in seconds, at once.
func heartbeats(e *Engine, from, to int64) {
	for s := from; s <= to; s++ {
		live(e, acme, alive(s*1_000))
	}
}

// begun returns a stream with one open channel, and heartbeats up to the 12th second.
func begun() *Engine {
	e := New(defaults())
	live(e, acme, up(0), at(ConnectionOpen, 1_000, 1))
	heartbeats(e, 1, 12)
	return e
}

const first = "0: active=1 sent=0 received=0 opened=1 closed=0 dropped=0"

func TestLiveness_ZerosWithHeartbeatsAreEmitted(t *testing.T) {
	t.Parallel()
	e := begun()
	heartbeats(e, 13, 33)
	e.Advance(base + 33_000)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"20: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

func TestLiveness_NoZerosWithoutHeartbeats(t *testing.T) {
	t.Parallel()
	e := begun()
	e.Advance(base + 600_000)
	assert.Equal(t, []string{first}, brief(e.Drain()), "a window after the latest heartbeat is not emitted")

	// The receiver was killed and restarted.
	live(e, acme, up(605_000))
	heartbeats(e, 606, 622)
	e.Advance(base + 622_000)
	assert.Equal(t, []string{
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
		"600: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
		"610: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()), "partly received windows are incomplete, others are not emitted")
}

func TestLiveness_KilledReceiverLeavesAGap(t *testing.T) {
	t.Parallel()
	e := begun()
	live(e, acme, up(13_500))
	heartbeats(e, 14, 22)
	e.Advance(base + 22_000)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(e.Drain()))
}

// Records that were queued during an outage arrive late, and none is missing.
func TestLiveness_BacklogIsComplete(t *testing.T) {
	t.Parallel()
	backlog := []Event{
		alive(13_000), at(MessageSend, 13_500, 1), alive(14_000), at(MessageSend, 15_100, 1), alive(15_000), alive(16_000),
		{Kind: Disconnected, Time: base + 16_500},
		{Kind: Gap, Time: base + 16_500, GapEnd: base + 17_000},
		up(17_000),
	}
	for ms := int64(18_000); ms <= 60_000; ms += 1_000 {
		backlog = append(backlog, alive(ms))
		if ms%10_000 == 5_000 {
			backlog = append(backlog, at(MessageSend, ms+100, 1))
		}
	}
	backlog = asRead(backlog...)
	for name, step := range map[string]int{"in one batch": len(backlog), "record by record": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := begun()
			for now := int64(13_000); now < 300_000; now += 1_000 {
				e.Advance(base + now)
			}
			for rest := backlog; len(rest) > 0; rest = rest[step:] {
				observe(e, acme, rest[:step], base+300_000)
				e.Advance(base + 300_050)
			}
			heartbeats(e, 300, 300) // the backlog is delivered
			lines := brief(e.Drain())
			require.GreaterOrEqual(t, len(lines), 5)
			assert.Equal(t, []string{
				first,
				"10: active=1 sent=2 received=0 opened=0 closed=0 dropped=0 incomplete", // the socket was down for half a second
				"20: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
				"30: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
				"40: active=1 sent=1 received=0 opened=0 closed=0 dropped=0",
			}, lines[:5])
		})
	}
}

// A hole in the records is a gap even if they arrive at once.
func TestLiveness_HoleInABacklogIsAGap(t *testing.T) {
	t.Parallel()
	e := begun()
	e.Advance(base + 300_000)
	observe(e, acme, asRead(alive(13_000), alive(16_000), alive(19_500), alive(20_000), at(MessageSend, 21_000, 1), alive(24_000), alive(33_000)), base+300_000)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(advanced(e, base+300_050))[:2], "3.5 seconds are more than three intervals")
}

func advanced(e *Engine, now int64) []wsevent.Window {
	e.Advance(now)
	return e.Drain()
}

// A heartbeat that is late because reading was blocked covers all of that time.
func TestLiveness_HeartbeatCoversItsInterval(t *testing.T) {
	t.Parallel()
	e := begun()
	live(e, acme, Event{Kind: Alive, Time: base + 33_000, Every: 21_000})
	e.Advance(base + 33_050)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"20: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

// After a kill, the events of each of several streams count as heartbeats.
func TestLiveness_EventCountsAsHeartbeat(t *testing.T) {
	t.Parallel()
	e := begun()
	live(e, acme, at(MessageSend, 65_000, 1), at(MessageSend, 73_000, 1))
	e.Advance(base + 73_050)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
		"60: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(e.Drain()))
}

// The platform's clock is 30 s behind: the gap is where its events are missing.
func TestLiveness_PlatformClockOffset(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	behind := func(ms int64) Event {
		event := at(MessageSend, ms, 1)
		event.Observed = event.Time + 30_000
		return event
	}
	observed := func(now int64, events ...Event) { observe(e, acme, events, base+now) }
	observed(30_000, up(30_000), behind(0))
	for s := int64(31); s <= 40; s++ {
		observed(s*1_000, alive(s*1_000), behind((s-30)*1_000))
	}
	e.Advance(base + 100_000)
	require.Empty(t, e.Drain(), "its latest heartbeat is at 10 s in the platform's time")
	observed(100_000, up(100_000), behind(70_000))
	for s := int64(101); s <= 122; s++ {
		observed(s*1_000, alive(s*1_000), behind((s-30)*1_000))
	}
	assert.Equal(t, []string{
		"0: active=1 sent=10 received=0 opened=0 closed=0 dropped=0",
		"10: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
		"70: active=1 sent=10 received=0 opened=0 closed=0 dropped=0",
		"80: active=1 sent=10 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

func TestLiveness_DisconnectedStreamDoesNotWait(t *testing.T) {
	t.Parallel()
	e := begun()
	live(e, acme, at(MessageSend, 12_500, 1), Event{Kind: Disconnected, Time: base + 13_000})
	e.Advance(base + 40_000)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(e.Drain()))
}

// Heartbeats of either of two connections count for the stream.
func TestLiveness_AnyConnectionOfTheStreamCounts(t *testing.T) {
	t.Parallel()
	e := begun()
	for s := int64(13); s <= 32; s++ {
		event := alive(s * 1_000)
		event.Socket = uint16(s % 2)
		live(e, acme, event)
	}
	e.Advance(base + 32_050)
	assert.Len(t, e.Drain(), 3)
}

func TestLiveness_WaitEndsWithChannelTTL(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.ChannelTTL = 10 * time.Minute
	e := New(config)
	live(e, acme, up(0), at(ConnectionOpen, 1_000, 1))
	e.Advance(base + 500_000)
	require.Empty(t, e.Drain())
	e.Advance(base + 700_000)
	assert.Equal(t, []string{first + " incomplete"}, brief(e.Drain()))
	assert.Zero(t, e.Stats().Channels)
}

// A receiver whose heartbeats are disabled is not overdue: its next connection reports this.
func TestLiveness_ReceiverWithoutHeartbeats(t *testing.T) {
	t.Parallel()
	e := begun()
	live(e, acme, Event{Kind: Disconnected, Time: base + 12_500}, Event{Kind: Connected, Time: base + 13_000})
	e.Advance(base + 53_000)
	assert.Equal(t, []string{
		first,
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
		"20: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"30: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"40: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

// The liveness of a receiver is restored after a restart.
func TestLiveness_IsSaved(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.TrackChanges = true
	e := begun()
	assert.Equal(t, []string{first}, brief(advanced(e, base+12_000)))
	disk := saved(t, e)
	disk.savedAt = base + 12_000
	e = disk.read(t, config)
	e.Continue(disk.savedAt)
	e.Advance(base + 600_000)
	assert.Empty(t, e.Drain(), "no heartbeat of the receiver since")
	live(e, acme, up(605_000))
	e.Advance(base + 605_050)
	assert.Equal(t, []string{
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
	}, brief(e.Drain()))
}

// A state of version 1: two channels of which one dropped, a gap, a skew, and a
// socket that is down. It has no heartbeats.
func TestState_FirstVersionIsRead(t *testing.T) {
	t.Parallel()
	piece := func(text string) []byte {
		bytes, err := hex.DecodeString(text)
		require.NoError(t, err)
		return bytes
	}
	e := New(defaults())
	require.NoError(t, e.RestoreStream(1, piece("016541451a02a09c01a09c010961636d655f636f72700975732d656173742d3100a0d5cea3010101c0d2e4b1ee63c0d2e4b1ee63c0d2e4b1ee63"+
		"a8dae4b1ee63010101f0c5e3b1ee63e89be4b1ee63000000000000294001010c7765626d6573736167696e67c0d2e4b1ee63d0a3e4b1ee6300a0d5cea3018094e4b1ee63"+
		"0000000000000000000000020000000000000000000200c801040202000000000000000000000000000000000000000000")))
	require.NoError(t, e.RestoreChannels(piece("01ceece66d01000101a2c7c8e3dcc701e085c9e3dcc70101000201c2e6c8e3dcc70182a5c9e3dcc701")))
	e.Continue(base + 4_500)
	st := e.numbered[1]
	assert.Equal(t, liveness{}, st.liveness)
	assert.Equal(t, []gap{{base - 5_000, base + 500}}, st.gaps)
	live(e, acme, Event{Kind: Connected, Time: base + 5_000, Socket: 1}, at(MessageSend, 25_000, 1))
	assert.Equal(t, []string{
		"0: active=2 sent=1 received=0 opened=2 closed=1 dropped=1 incomplete",
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

// For any length of an outage, and any batches of the backlog, the windows equal those
// without an outage.
func TestLiveness_AnyBacklogEqualsLive(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		ahead := int32(random.IntN(10_000) - 9_000) // of the platform's clock
		records := []Event{up(0)}
		for ms := int64(500); ms < 400_000; ms += 500 {
			if ms%1_000 == 0 {
				records = append(records, alive(ms))
			}
			if random.IntN(40) == 0 { // sometimes a long time without events
				event := at(MessageSend, ms, uint64(1+random.IntN(3)))
				event.Time += int64(ahead)
				event.Observed = event.Time - int64(ahead)
				records = append(records, event)
			}
		}
		received := func(r *Event) int64 { return cmp.Or(r.Observed, r.Time) }
		cut := base + int64(random.IntN(200_000))
		open := cut + int64(random.IntN(200_000))
		most := 1 + random.IntN(20)
		run := func(late bool) []string {
			e := New(defaults())
			for now := base; now < base+400_000; now += 500 {
				var due []Event
				for len(records) > 0 && received(&records[0]) <= now && (!late || now < cut || now >= open) {
					record := records[0]
					record.Observed = received(&record)
					due, records = append(due, record), records[1:]
				}
				for len(due) > 0 {
					n := min(len(due), most)
					observe(e, acme, due[:n], now)
					e.Advance(now)
					due = due[n:]
				}
				e.Advance(now)
			}
			return brief(e.Drain())
		}
		all := records
		live := run(false)
		records = all
		require.Equal(t, live, run(true), "seed %d", seed)
	}
}
