// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// intervalsKept bounds the list of intervals; later misses extend the last one.
const intervalsKept = 10_000

// counter counts events by series and outcome.
type counter struct {
	counts    [outcomes][]Counts
	events    [outcomes]int64
	intervals []Interval
	missing   bool // the last event was missed
}

func newCounter(series int) *counter {
	c := &counter{}
	for o := range c.counts {
		c.counts[o] = make([]Counts, series)
	}
	return c
}

// add counts events that happened at a time (unix ms).
func (c *counter) add(series int32, counts *Counts, o Outcome, at int64) {
	c.events[o] += counts.Events()
	c.counts[o][series].add(counts, 1)
	if o == Missed {
		c.miss(counts.Events(), at)
	}
	c.missing = o == Missed
}

// move counts events that have another outcome after all. The intervals stay: they
// are when no socket was ready.
func (c *counter) move(series int32, counts *Counts, from, to Outcome) {
	c.events[from] -= counts.Events()
	c.events[to] += counts.Events()
	c.counts[from][series].add(counts, -1)
	c.counts[to][series].add(counts, 1)
}

// miss adds missed events to the present interval.
func (c *counter) miss(events, at int64) {
	if !c.missing && len(c.intervals) < intervalsKept {
		c.intervals = append(c.intervals, Interval{Start: at, End: at})
	}
	last := &c.intervals[len(c.intervals)-1]
	last.Start, last.End = min(last.Start, at), max(last.End, at)
	last.Events += events
}

func (c *counter) truth(series []traffic.Series) APITruth {
	events := c.outcome(Sent, series)
	truth := APITruth{
		Events:       events.Events,
		Series:       append([]SeriesCounts{}, events.Series...),
		Unsure:       c.outcome(Unsure, series),
		Missed:       c.missed(series),
		Unsubscribed: c.outcome(Unsubscribed, series),
	}
	for n := range truth.Series {
		truth.Total.add(&truth.Series[n].Counts, 1)
	}
	return truth
}

func (c *counter) missed(series []traffic.Series) MissedEvents {
	return MissedEvents{OutcomeCounts: c.outcome(Missed, series), Intervals: slices.Clone(c.intervals)}
}

func (c *counter) outcome(o Outcome, series []traffic.Series) OutcomeCounts {
	counted := OutcomeCounts{Events: c.events[o]}
	for n, counts := range c.counts[o] {
		if counts != (Counts{}) {
			counted.Series = append(counted.Series, SeriesCounts{Series: series[n], Counts: counts})
		}
	}
	return counted
}
