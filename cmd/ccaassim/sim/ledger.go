// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import "slices"

// spellsKept bounds the list of spells; what comes later joins the last one.
const spellsKept = 10_000

// ledger counts events by series and by what became of them.
type ledger struct {
	counts  [fates][]Counts
	events  [fates]int64
	spells  []Spell
	inSpell bool
}

func newLedger(series int) *ledger {
	l := &ledger{}
	for f := range l.counts {
		l.counts[f] = make([]Counts, series)
	}
	return l
}

// add counts what happened at a time (unix ms).
func (l *ledger) add(series int32, c *Counts, f fate, at int64) {
	l.events[f] += c.events()
	l.counts[f][series].add(c, 1)
	if f == missed {
		l.miss(c.events(), at)
	}
	l.inSpell = f == missed
}

// move counts what has another fate after all. The spells stay: they say when
// nobody was there.
func (l *ledger) move(series int32, c *Counts, from, to fate) {
	l.events[from] -= c.events()
	l.events[to] += c.events()
	l.counts[from][series].add(c, -1)
	l.counts[to][series].add(c, 1)
}

// miss puts missed events into the present spell.
func (l *ledger) miss(events, at int64) {
	if !l.inSpell && len(l.spells) < spellsKept {
		l.spells = append(l.spells, Spell{Start: at, End: at})
	}
	spell := &l.spells[len(l.spells)-1]
	spell.Start, spell.End = min(spell.Start, at), max(spell.End, at)
	spell.Events += events
}

func (l *ledger) truth(series []Series) APITruth {
	sent := l.outcome(sent, series)
	truth := APITruth{
		Events:  sent.Events,
		Series:  append([]SeriesCounts{}, sent.Series...),
		Unsure:  l.outcome(unsure, series),
		Missed:  l.missed(series),
		Unheard: l.outcome(unheard, series),
	}
	for n := range truth.Series {
		truth.Total.add(&truth.Series[n].Counts, 1)
	}
	return truth
}

func (l *ledger) missed(series []Series) Missed {
	return Missed{Outcome: l.outcome(missed, series), Spells: slices.Clone(l.spells)}
}

func (l *ledger) outcome(f fate, series []Series) Outcome {
	o := Outcome{Events: l.events[f]}
	for n, counts := range l.counts[f] {
		if counts != (Counts{}) {
			o.Series = append(o.Series, SeriesCounts{Series: series[n], Counts: counts})
		}
	}
	return o
}
