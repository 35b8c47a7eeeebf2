// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"slices"
	"sync"
)

// fate is what became of an event, the best first.
type fate uint8

const (
	sent    fate = iota
	unsure       // the write failed half way
	missed       // nobody was there
	unheard      // nobody who was there is subscribed to it
	fates
)

func (f fate) String() string { return [fates]string{"sent", "unsure", "missed", "unheard"}[f] }

// tally keeps the truth. The pump adds to it, anyone reads.
type tally struct {
	mu         sync.Mutex
	series     []Series
	warm       []int64       // sessions open before the first event
	all        *ledger       // of what happened
	apis       [apis]*ledger // of what each told; nil: it has had no socket
	frames     int64
	bytes      int64
	duplicates int64
	violations [malformations]int64
	started    int64
	done       bool
	sockets    SocketTruth
	requests   RequestTruth
	channels   ChannelTruth
}

func newTally(series []Series, warm []int64) *tally {
	return &tally{series: series, warm: slices.Clone(warm), all: newLedger(len(series))}
}

// note changes the truth in ways that are not about events.
func (t *tally) note(change func(*tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t)
}

// add counts a batch.
func (t *tally) add(b *batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started == 0 && len(b.times) > 0 {
		t.started = b.times[0] / 1e6
	}
	t.frames += b.sentFrames
	t.bytes += b.sentBytes
	for a, used := range b.used {
		if used && t.apis[a] == nil {
			t.apis[a] = newLedger(len(t.series))
		}
	}
	for n := range b.items {
		t.item(b, n)
	}
}

func (t *tally) item(b *batch, n int) {
	i, f := &b.items[n], b.fate(n)
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
		at := b.times[n] / 1e6
		counts := Counts{}
		counts.count(&i.event)
		t.all.add(i.event.series, &counts, f, at)
		for a, ledger := range t.apis {
			if ledger != nil {
				counts = api(a).tells(&i.event)
				ledger.add(i.event.series, &counts, b.fates[a][n], at)
			}
		}
	}
}

// heal counts an event that a later snapshot has told, or may have.
func (t *tally) heal(of *telling, f fate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := notifications.tells(&of.event)
	t.apis[notifications].move(of.event.series, &counts, of.api, f)
	if f < of.all {
		counts = Counts{}
		counts.count(&of.event)
		t.all.move(of.event.series, &counts, of.all, f)
	}
}

func (t *tally) truth() Truth {
	t.mu.Lock()
	defer t.mu.Unlock()
	truth := Truth{
		Started:    t.started,
		Done:       t.done,
		Events:     t.all.events[sent],
		Frames:     t.frames,
		Bytes:      t.bytes,
		Duplicates: t.duplicates,
		Violations: map[string]int64{},
		Series:     []SeriesTruth{},
		Unsure:     t.all.outcome(unsure, t.series),
		Missed:     t.all.missed(t.series),
		Unheard:    t.all.outcome(unheard, t.series),
		APIs:       map[string]APITruth{},
		Sockets:    t.sockets,
		Requests:   t.requests,
		Channels:   t.channels,
	}
	for kind, count := range t.violations {
		if count > 0 {
			truth.Violations[malformation(kind).String()] = count
		}
	}
	for n, series := range t.series {
		s := SeriesTruth{Series: series, Counts: t.all.counts[sent][n], Open: t.open(n)}
		if s.Counts != (Counts{}) || s.Open != 0 {
			truth.Series = append(truth.Series, s)
			truth.Total.add(&s.Counts, 1)
		}
	}
	for a, ledger := range t.apis {
		if ledger != nil {
			truth.APIs[api(a).String()] = ledger.truth(t.series)
		}
	}
	return truth
}

// open is the number of sessions open in a series, by all that happened in it.
func (t *tally) open(series int) int64 {
	open := t.warm[series]
	for f := range t.all.counts {
		open += t.all.counts[f][series].ConnectionsOpened - t.all.counts[f][series].ConnectionsClosed
	}
	return open
}
