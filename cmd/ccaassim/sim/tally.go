// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"
	"sync"
)

// fate is what became of a chunk.
type fate uint8

const (
	sent fate = iota
	unsure
	missed
	fates
)

func (f fate) String() string { return [fates]string{"sent", "unsure", "missed"}[f] }

// spellsKept bounds the list of spells; what comes later joins the last one.
const spellsKept = 10_000

// tally keeps the truth. The pump adds to it, anyone reads.
type tally struct {
	mu         sync.Mutex
	series     []Series
	warm       []int64 // sessions open before the first event
	counts     [fates][]Counts
	events     [fates]int64
	frames     int64
	bytes      int64
	duplicates int64
	violations [malformations]int64
	spells     []Spell
	inSpell    bool
	started    int64
	done       bool
	sockets    SocketTruth
	requests   RequestTruth
}

func newTally(series []Series, warm []int64) *tally {
	t := &tally{series: series, warm: slices.Clone(warm)}
	for f := range t.counts {
		t.counts[f] = make([]Counts, len(series))
	}
	return t
}

// note changes the truth in ways that are not about events.
func (t *tally) note(change func(*tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t)
}

// add counts a chunk.
func (t *tally) add(c *chunk, f fate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started == 0 && len(c.times) > 0 {
		t.started = c.times[0] / 1e6
	}
	if f == sent {
		t.frames += int64(c.frames)
		t.bytes += int64(len(c.bytes))
	}
	t.inSpell = t.inSpell && f == missed
	for n := range c.items {
		t.item(&c.items[n], c.times[n], f)
	}
}

func (t *tally) item(i *item, happened int64, f fate) {
	switch {
	case i.malformed != wellFormed:
		if f == sent {
			t.violations[i.malformed]++
		}
	case i.duplicate:
		if f == sent {
			t.duplicates++
		}
	default:
		t.events[f]++
		t.counts[f][i.event.series].count(&i.event)
		if f == missed {
			t.miss(happened / 1e6)
		}
	}
}

// miss puts a missed event into the present spell.
func (t *tally) miss(at int64) {
	if !t.inSpell && len(t.spells) < spellsKept {
		t.spells = append(t.spells, Spell{Start: at, End: at})
	}
	t.inSpell = true
	spell := &t.spells[len(t.spells)-1]
	spell.Start, spell.End = min(spell.Start, at), max(spell.End, at)
	spell.Events++
}

func (t *tally) truth() Truth {
	t.mu.Lock()
	defer t.mu.Unlock()
	truth := Truth{
		Started:    t.started,
		Done:       t.done,
		Events:     t.events[sent],
		Frames:     t.frames,
		Bytes:      t.bytes,
		Duplicates: t.duplicates,
		Violations: map[string]int64{},
		Series:     []SeriesTruth{},
		Unsure:     t.outcome(unsure),
		Missed:     Missed{Outcome: t.outcome(missed), Spells: slices.Clone(t.spells)},
		Sockets:    t.sockets,
		Requests:   t.requests,
	}
	for kind, count := range t.violations {
		if count > 0 {
			truth.Violations[malformation(kind).String()] = count
		}
	}
	for n, series := range t.series {
		s := SeriesTruth{Series: series, Counts: t.counts[sent][n], Open: t.open(n)}
		if s.Counts != (Counts{}) || s.Open != 0 {
			truth.Series = append(truth.Series, s)
			truth.Total.add(&s.Counts)
		}
	}
	return truth
}

// open is the number of sessions open in a series, by all that happened in it.
func (t *tally) open(series int) int64 {
	open := t.warm[series]
	for f := range t.counts {
		open += t.counts[f][series].ConnectionsOpened - t.counts[f][series].ConnectionsClosed
	}
	return open
}

func (t *tally) outcome(f fate) Outcome {
	o := Outcome{Events: t.events[f]}
	for n, counts := range t.counts[f] {
		if counts != (Counts{}) {
			o.Series = append(o.Series, SeriesCounts{Series: t.series[n], Counts: counts})
		}
	}
	return o
}
