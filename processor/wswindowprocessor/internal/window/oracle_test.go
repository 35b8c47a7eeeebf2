// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// arrival is an event as it came in, or a restart.
type arrival struct {
	tags    wsevent.Tags
	event   Event
	now     int64
	restart bool
}

// oracle is a reference implementation: it keeps every arrival, and searches all of them
// for each window. It shares no code with the Engine.
type oracle struct {
	config   Config
	arrivals []arrival
	reached  []int64 // per arrival: its stream's watermark once it was there
}

func newOracle(config Config, arrivals []arrival) *oracle {
	o := &oracle{config: config, arrivals: arrivals}
	type clock struct{ newest, watermark, mark, arrived int64 }
	clocks := map[string]*clock{}
	for _, a := range arrivals {
		if a.restart {
			o.reached = append(o.reached, 0)
			continue
		}
		key := a.tags.TenantID + "/" + a.tags.Region
		c, ok := clocks[key]
		if !ok {
			c = &clock{newest: -1 << 62, watermark: -1 << 62, mark: -1 << 62, arrived: a.now}
			clocks[key] = c
		}
		if quiet := a.now - c.arrived; quiet >= config.IdleTimeout.Milliseconds() {
			c.watermark = max(c.watermark, min(max(c.newest, c.mark+quiet), a.now))
		}
		c.watermark = max(c.watermark, min(c.newest, a.now))
		if !o.future(a) {
			c.newest = max(c.newest, a.event.Time)
			c.watermark = max(c.watermark, min(c.newest, a.now))
			c.mark, c.arrived = c.watermark, a.now
		}
		o.reached = append(o.reached, c.watermark)
	}
	return o
}

func (o *oracle) future(a arrival) bool {
	return a.event.Time > a.now+o.config.MaxFuture.Milliseconds()
}

// known gives the distinct events of a series that came before the window that
// ends at end was closed.
func (o *oracle) known(tags wsevent.Tags, end int64) (known []Event, future []Event, late int64) {
	step := (o.config.Size - o.config.Overlap).Milliseconds()
	lateness := o.config.AllowedLateness.Milliseconds()
	seen := map[string]bool{}
	for i, a := range o.arrivals {
		if a.restart || a.tags != tags || o.reached[i] >= end+lateness {
			continue
		}
		if o.future(a) {
			future = append(future, a.event)
			continue
		}
		if a.event.Kind <= ConnectionClose {
			name := fmt.Sprint(a.event.Kind, a.event.Channel, a.event.Time)
			if seen[name] {
				continue
			}
			seen[name] = true
		}
		known = append(known, a.event)
		// The earliest window that holds the event.
		first := a.event.Time / step * step
		for first-step > a.event.Time-o.config.Size.Milliseconds() {
			first -= step
		}
		if o.reached[i] >= first+o.config.Size.Milliseconds()+lateness {
			late++
		}
	}
	return known, future, late
}

// active counts the channels that were open at some moment of [start, end).
func active(events []Event, start, end int64) (count int64) {
	lives := map[uint64][]Event{}
	for _, event := range events {
		lives[event.Channel] = append(lives[event.Channel], event)
	}
	for _, life := range lives {
		slices.SortStableFunc(life, func(a, b Event) int {
			closes := func(e Event) int {
				if e.Kind == ConnectionClose {
					return 1
				}
				return 0
			}
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(closes(a), closes(b)))
		})
		open, since, belongs := false, int64(0), false
		for _, event := range life {
			if !open {
				open, since = true, event.Time
			}
			if event.Kind == ConnectionClose {
				open = false
				belongs = belongs || since < end && event.Time >= start
			}
		}
		if belongs || open && since < end {
			count++
		}
	}
	return count
}

// count counts the events of [from, to), one question at a time.
func count(events []Event, from, to int64) wsevent.Counts {
	number := func(is func(Event) bool) (n int64) {
		for _, event := range events {
			if event.Time >= from && event.Time < to && is(event) {
				n++
			}
		}
		return n
	}
	payload := int64(0)
	for _, event := range events {
		if event.Time >= from && event.Time < to && (event.Kind == MessageSend || event.Kind == MessageReceive) {
			payload += event.Bytes
		}
	}
	return wsevent.Counts{
		MessagesSent:       number(func(e Event) bool { return e.Kind == MessageSend }),
		MessagesReceived:   number(func(e Event) bool { return e.Kind == MessageReceive }),
		PayloadBytes:       payload,
		ConnectionsOpened:  number(func(e Event) bool { return e.Kind == ConnectionOpen }),
		ConnectionsClosed:  number(func(e Event) bool { return e.Kind == ConnectionClose }),
		ConnectionsDropped: number(func(e Event) bool { return e.Kind == ConnectionClose && e.Abnormal }),
	}
}

// check compares the windows of the Engine with the oracle's.
func (o *oracle) check(t *testing.T, windows []wsevent.Window) {
	t.Helper()
	const always = int64(1) << 61
	emitted := map[string]bool{}
	for _, w := range windows {
		name := fmt.Sprint(w.Tags, w.Start)
		require.False(t, emitted[name], "%s is emitted once", name)
		emitted[name] = true

		known, future, late := o.known(w.Tags, int64(w.End))
		want := count(known, int64(w.Start), int64(w.End))
		want.LateEvents = w.Counts.LateEvents // reported in the next window; the totals are compared below
		require.Equal(t, want, w.Counts, name)
		require.Equal(t, active(known, int64(w.Start), int64(w.End)), w.ActiveConnections, name)
		totals, ahead := count(known, -always, int64(w.End)), count(future, -always, always)
		totals.Add(&ahead)
		totals.LateEvents = late
		require.Equal(t, totals, w.Totals, name)
	}

	step, size := (o.config.Size - o.config.Overlap).Milliseconds(), o.config.Size.Milliseconds()
	for i, a := range o.arrivals {
		if a.restart {
			continue
		}
		for start := a.event.Time / step * step; start > a.event.Time-size; start -= step {
			if !o.future(a) && o.reached[i] < start+size+o.config.AllowedLateness.Milliseconds() {
				require.True(t, emitted[fmt.Sprint(a.tags, start)], "an event of %d has its window at %d", a.event.Time, start)
			}
		}
	}
}

// traffic returns the arrivals of some minutes: channels that open, send and close, some
// of them without their open, shuffled within the lateness.
func traffic(random *rand.Rand, config Config, skew int64) []arrival {
	var arrivals []arrival
	send := func(tags wsevent.Tags, kind Kind, id uint64, t int64, delay int64) {
		arrivals = append(arrivals, arrival{
			tags:  tags,
			event: Event{Kind: kind, Time: t + skew, Channel: id, Bytes: random.Int64N(1000), Abnormal: random.IntN(3) == 0},
			now:   t + delay,
		})
	}
	lateness := config.AllowedLateness.Milliseconds()
	delay := func() int64 { return random.Int64N(max(1, lateness)) }
	for id := range uint64(60) {
		tags := wsevent.Tags{
			TenantID:    []string{"a", "b"}[random.IntN(2)],
			Region:      "r",
			ChannelType: []string{"web", "voice"}[random.IntN(2)],
		}
		opened := base + random.Int64N(120_000)
		closed := opened + random.Int64N(90_000)
		returns := random.IntN(4) == 0
		known := random.IntN(4) > 0 // else seen from a message, or only by its close
		if known {
			send(tags, ConnectionOpen, id+1, opened, delay())
		}
		for range random.IntN(12) {
			moment := opened + random.Int64N(closed-opened+1)
			wait := delay()
			if known && !returns && random.IntN(25) == 0 {
				wait += random.Int64N(40_000) // a late event
			}
			send(tags, MessageSend+Kind(random.IntN(2)), id+1, moment, wait)
		}
		if random.IntN(6) > 0 { // else it stays open
			send(tags, ConnectionClose, id+1, closed, delay())
			if !returns && random.IntN(5) == 0 {
				again := arrivals[len(arrivals)-1]
				again.now += 3
				arrivals = append(arrivals, again)
			}
			if returns { // with the same id, at once or much later
				back := closed + 1 + random.Int64N(1+random.Int64N(40_000))
				send(tags, []Kind{ConnectionOpen, MessageSend}[random.IntN(2)], id+1, back, delay())
				send(tags, MessageReceive, id+1, back+random.Int64N(20_000), delay())
				if random.IntN(2) == 0 {
					send(tags, ConnectionClose, id+1, back+random.Int64N(40_000), delay())
				}
			}
		}
		if random.IntN(20) == 0 {
			send(tags, MessageSend, id+1, base+400*24*3_600_000, base+60_000-(base+400*24*3_600_000))
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.now, b.now) })
	return arrivals
}

func TestEngine_EqualsOracle(t *testing.T) {
	t.Parallel()
	for _, shape := range []struct {
		name                    string
		size, overlap, lateness time.Duration
		skew                    int64 // ms that the platform is ahead
	}{
		{"as shipped", 10 * time.Second, time.Second, 2 * time.Second, 0},
		{"tumbling", 10 * time.Second, 0, 2 * time.Second, 0},
		{"sliding", 10 * time.Second, 9 * time.Second, 2 * time.Second, 0},
		{"half", 10 * time.Second, 5 * time.Second, 2 * time.Second, 0},
		{"uneven", 10 * time.Second, 7 * time.Second, 2 * time.Second, 0},
		{"no lateness", 10 * time.Second, time.Second, 0, 0},
		{"platform ahead", 10 * time.Second, time.Second, 2 * time.Second, 90_000},
		{"platform behind", 10 * time.Second, time.Second, 2 * time.Second, -90_000},
		{"a replay", 10 * time.Second, time.Second, 2 * time.Second, -7 * 24 * 3_600_000},
	} {
		t.Run(shape.name, func(t *testing.T) {
			t.Parallel()
			config := defaults()
			config.Size, config.Overlap, config.AllowedLateness = shape.size, shape.overlap, shape.lateness
			for seed := range uint64(20) {
				arrivals := traffic(rand.New(rand.NewPCG(seed, 7)), config, shape.skew)
				e := New(config)
				var windows []wsevent.Window
				for _, a := range arrivals {
					observe(e, a.tags, []Event{a.event}, a.now)
					windows = append(windows, e.Drain()...)
				}
				e.Advance(arrivals[len(arrivals)-1].now + 200_000)
				windows = append(windows, e.Drain()...)
				require.NotEmpty(t, windows)
				for _, w := range windows {
					require.True(t, w.Complete)
				}
				newOracle(config, arrivals).check(t, windows)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func inOrder(windows []wsevent.Window) []wsevent.Window {
	slices.SortFunc(windows, func(a, b wsevent.Window) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(fmt.Sprint(a.Tags), fmt.Sprint(b.Tags)))
	})
	return windows
}
