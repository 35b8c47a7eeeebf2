// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import "time"

const (
	// maxReach is how long before now a gap may have begun: platforms answer for a week.
	maxReach = 6 * 24 * time.Hour
	// maxTrying is how long after its end a gap that could not be healed is tried again.
	maxTrying = 24 * time.Hour
)

// Range is a time in which events may be lost: [From, To), unix ns. The zero one is empty.
type Range struct{ From, To int64 }

func (r Range) has(t int64) bool { return t >= r.From && t < r.To }

// Join returns the range from the earlier start to the later end.
func (r Range) Join(other Range) Range {
	switch {
	case r == Range{}:
		return other
	case other == Range{}:
		return r
	}
	return Range{From: min(r.From, other.From), To: max(r.To, other.To)}
}

// Gaps are the times in which events may be lost, and that are not healed yet. Those that
// wait are healed as one, whether they overlap or not: only what is missing is
// reconstructed. Of all of them one number is saved, so that a restart heals what was
// still open. They are not safe for concurrent use.
type Gaps struct {
	restored int64         // unix ns: since when the saved state misses events; 0: nothing was saved
	up       map[int]bool  // connections that have been up
	down     map[int]int64 // connections that have lost their socket: since when, unix ns

	waiting, healing, failed Range
}

// NewGaps returns none.
func NewGaps() *Gaps { return &Gaps{up: map[int]bool{}, down: map[int]int64{}} }

// Restore records that a state was saved before the start, and since when it misses
// events: since it was saved, or since a gap began that was not healed then.
func (g *Gaps) Restore(since time.Time) { g.restored = since.UnixNano() }

// Lost records that a connection has no socket, and since when its events are lost.
func (g *Gaps) Lost(connection int, since time.Time) {
	if _, already := g.down[connection]; !already {
		g.down[connection] = since.UnixNano()
	}
}

// Connected records that a connection is up. The first time after a restart ends our own
// downtime.
func (g *Gaps) Connected(connection int, at time.Time) {
	if !g.up[connection] && g.restored != 0 {
		g.add(Range{From: g.restored, To: at.UnixNano()})
	}
	g.up[connection] = true
	delete(g.down, connection)
}

// Add records a gap.
func (g *Gaps) Add(from, to time.Time) { g.add(Range{From: from.UnixNano(), To: to.UnixNano()}) }

func (g *Gaps) add(gap Range) {
	if gap.From < gap.To {
		g.waiting = g.waiting.Join(gap)
	}
}

// Take returns the gap that is to be healed now, if there is one: as far back as platforms
// answer.
func (g *Gaps) Take(now time.Time) (gap Range, ok bool) {
	gap = g.waiting
	g.waiting = Range{}
	gap.From = max(gap.From, now.Add(-maxReach).UnixNano())
	if gap.From >= gap.To { // none, or too old
		return Range{}, false
	}
	g.healing = gap
	return gap, true
}

// Ended records the result of healing what Take returned.
func (g *Gaps) Ended(healed bool) {
	if !healed {
		g.failed = g.failed.Join(g.healing)
	}
	g.healing = Range{}
}

// Retry makes what could not be healed wait again. It returns the gap that is given up,
// because it has ended too long ago; the empty one: none.
func (g *Gaps) Retry(now time.Time) (givenUp Range) {
	failed := g.failed
	g.failed = Range{}
	if failed != (Range{}) && failed.To < now.Add(-maxTrying).UnixNano() {
		return failed
	}
	g.add(failed)
	return Range{}
}

// Unhealed returns since when events may be missing that were not asked for yet; now, where
// none are.
func (g *Gaps) Unhealed(now time.Time) time.Time {
	since := now.UnixNano()
	for _, gap := range []Range{g.waiting, g.healing, g.failed} {
		if gap != (Range{}) {
			since = min(since, gap.From)
		}
	}
	for _, from := range g.down {
		since = min(since, from)
	}
	if g.restored != 0 && len(g.up) == 0 {
		since = min(since, g.restored)
	}
	return time.Unix(0, since)
}
