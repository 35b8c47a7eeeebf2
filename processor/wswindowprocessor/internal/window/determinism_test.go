// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// recorded are arrivals as a receiver has read them: no two in one millisecond, some of
// them without a channel type, and among them what is said about their streams.
func recorded(random *rand.Rand, config Config, skew int64) []arrival {
	arrivals := traffic(random, config, skew)
	var all []arrival
	about := func(kind Kind, now int64) arrival {
		tags := wsevent.Tags{TenantID: []string{"a", "b"}[random.IntN(2)], Region: "r", ChannelType: wsevent.Unknown}
		return arrival{tags: tags, event: Event{Kind: kind, Time: now, GapEnd: now + 1_000, Skew: float64(now % 100)}, now: now}
	}
	now := arrivals[0].now
	for i, a := range arrivals {
		now = max(now+1, a.now)
		a.now = now
		if a.event.Kind != ConnectionOpen && random.IntN(10) == 0 {
			a.tags.ChannelType = wsevent.Unknown
		}
		all = append(all, a)
		if i%40 == 0 {
			now++
			all = append(all, about([]Kind{Connected, Disconnected, Gap, Skew, Violation, Backpressure}[random.IntN(6)], now))
		}
	}
	for i := range all {
		all[i].event.Observed = all[i].now
	}
	return all
}

// grouped is a batch of arrivals: a group for each set of tags, in any order.
func grouped(random *rand.Rand, arrivals []arrival) []Group {
	var groups []Group
	for _, a := range arrivals {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Tags == a.tags })
		if i < 0 {
			i = len(groups)
			group := Group{Tags: a.tags}
			if a.tags.ChannelType == wsevent.Unknown {
				group.Defaulted = ChannelType
			}
			groups = append(groups, group)
		}
		groups[i].Events = append(groups[i].Events, a.event)
	}
	random.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	return groups
}

// run observes arrivals in batches of at most a size, late by a time, and gives the
// windows up to 20 s after the last.
func run(random *rand.Rand, config Config, arrivals []arrival, size int, late int64) ([]wsevent.Window, *Engine) {
	e := New(config)
	now := int64(0)
	for rest := arrivals; len(rest) > 0; {
		n := 1 + random.IntN(min(size, len(rest)))
		now = rest[n-1].now + late
		e.Observe(grouped(random, rest[:n]), now)
		if late == 0 || random.IntN(3) == 0 {
			e.Advance(now)
		}
		rest = rest[n:]
	}
	e.Advance(now + 400_000)
	end := arrivals[len(arrivals)-1].now + 20_000
	return slices.DeleteFunc(inOrder(e.Drain()), func(w wsevent.Window) bool { return int64(w.End) > end }), e
}

// What is observed is what counts: neither where batches end, nor how their resources
// lie, nor when they come changes a window, a total or a channel.
func TestObserve_AnySplitAndRegroupingEqualsLive(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]int64{"right clock": 0, "ahead": 20_000, "behind": -20_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := defaults()
			config.Overlap = time.Second
			config.ReopenGrace = 2 * time.Second
			for seed := range uint64(12) {
				random := rand.New(rand.NewPCG(seed, 11))
				arrivals := recorded(random, config, skew)
				want, live := run(random, config, arrivals, 1, 0)
				require.NotEmpty(t, want)
				for _, size := range []int{3, 100, len(arrivals)} {
					for _, late := range []int64{0, 40_000, 3_600_000} {
						if size > 3 && late == 0 {
							continue // live batches are short
						}
						got, e := run(random, config, arrivals, size, late)
						require.Len(t, got, len(want), "seed %d, batches of %d, %d ms late", seed, size, late)
						for i := range want {
							require.Equal(t, want[i], got[i], "seed %d, batches of %d, %d ms late", seed, size, late)
						}
						require.Equal(t, live.Stats().LateEvents, e.Stats().LateEvents)
						require.Equal(t, live.Stats().Channels, e.Stats().Channels)
					}
				}
			}
		})
	}
}

// The same events of a minute in one batch, grouped by resource, as a generator sends
// them that stamps no observation: none of them is late.
func TestObserve_BatchIsEvaluatedAgainstTheWatermarkBeforeIt(t *testing.T) {
	t.Parallel()
	config := defaults()
	var events []arrival
	for i := range int64(2_400) {
		tags := acme
		tags.ChannelType = []string{"voice", "webmessaging", "callback"}[i%3]
		events = append(events, arrival{tags: tags, event: at(MessageSend, i*25, uint64(i%7+1))})
	}
	windows := func(size int) []wsevent.Window {
		e := New(config)
		random := rand.New(rand.NewPCG(1, 1))
		for batch := range slices.Chunk(events, size) {
			e.Observe(grouped(random, batch), base+60_000)
		}
		e.Advance(base + 80_000)
		assertNothingLate(t, e)
		return inOrder(e.Drain())
	}
	want := windows(100)
	require.Len(t, want, 3*7)
	require.Equal(t, want, windows(2_000))
	require.Equal(t, want, windows(2_400))
}

func assertNothingLate(t *testing.T, e *Engine) {
	t.Helper()
	require.Zero(t, e.Stats().LateEvents)
}

// One batch of a day of events, all observed in one moment, does not hold a pane for
// every window of the day.
func TestObserve_OpenWindowsAreBounded(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	var events []Event
	for ms := int64(0); ms < day; ms += 30_000 {
		events = append(events, at(MessageSend, ms, 1))
	}
	observe(e, acme, events, base+day+1_000)
	e.Advance(base + day + 20_000)
	s := e.series[acme]
	require.LessOrEqual(t, len(s.slots), 256)
	windows := e.Drain()
	require.Equal(t, int64(len(events)), windows[len(windows)-1].Totals.MessagesSent)
	require.Zero(t, e.Stats().LateEvents)
}

// The slots of a backlog are given back when it is counted.
func TestObserve_MemoryOfABacklogIsReleased(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	var events []Event
	for ms := int64(0); ms < 600_000; ms += 5_000 {
		events = append(events, at(MessageSend, ms, 1))
	}
	live(e, acme, events[0])
	observe(e, acme, events[1:], base+600_000)
	s := e.series[acme]
	e.Advance(base + 700_000)
	require.Len(t, s.slots, fewestSlotsOf(e.grid))
	windows := e.Drain()
	require.Equal(t, int64(len(events)), windows[len(windows)-1].Totals.MessagesSent)
}

// Dimensions of any length come by OTLP: beyond a limit they are counted together.
func TestObserve_LongDimensionsAreCountedAsOverflow(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	for i := range 250 {
		tags := acme
		tags.TenantID = strings.Repeat("x", 900_000) + strconv.Itoa(i)
		observe(e, tags, []Event{at(MessageSend, int64(i), 1)}, base+int64(i))
	}
	e.Advance(base + 13_000)
	windows := e.Drain()
	require.Len(t, windows, 1)
	require.Equal(t, wsevent.Tags{Overflow: true}, windows[0].Tags)
	require.Equal(t, int64(250), windows[0].Counts.MessagesSent)
	e.SaveStreams(1, func(_ int, piece []byte) { require.Less(t, len(piece), 1_000) })
}
