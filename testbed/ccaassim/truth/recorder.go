// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"slices"
	"sync"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// Source is an API as the recorder counts it: its name in the truth, and what a
// receiver can count of an event that it sends.
type Source interface {
	Name() string
	Counts(e *traffic.Event) Counts
}

// Recorder keeps the truth. The pump adds to it, anybody may read.
type Recorder struct {
	mu         sync.Mutex
	series     []traffic.Series
	warm       []int64 // sessions open before the first event
	all        *counter
	sources    []Source
	apis       []*counter // by API; nil: it has had no socket
	frames     int64
	bytes      int64
	duplicates int64
	violations [fault.Malformations]int64
	started    int64
	done       bool

	sockets  SocketTruth
	requests RequestTruth
	channels ChannelTruth
}

// NewRecorder makes a recorder; warm is the number of sessions that each series begins with.
func NewRecorder(series []traffic.Series, warm []int64) *Recorder {
	return &Recorder{series: series, warm: slices.Clone(warm), all: newCounter(len(series))}
}

// SetSources sets the APIs, in the order of their ids, before the first batch.
func (r *Recorder) SetSources(sources []Source) {
	r.sources, r.apis = sources, make([]*counter, len(sources))
}

// Sockets changes the counts of sockets.
func (r *Recorder) Sockets(change func(*SocketTruth)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.sockets)
}

// Requests changes the counts of requests.
func (r *Recorder) Requests(change func(*RequestTruth)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.requests)
}

// Channels changes the counts of Notifications channels.
func (r *Recorder) Channels(change func(*ChannelTruth)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.channels)
}

// Finish notes that the traffic has reached its bound.
func (r *Recorder) Finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
}

// Add counts a batch.
func (r *Recorder) Add(b *Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started == 0 && len(b.Times) > 0 {
		r.started = b.Times[0] / 1e6
	}
	r.frames += b.SentFrames
	r.bytes += b.SentBytes
	for a, used := range b.InUse {
		if used && r.apis[a] == nil {
			r.apis[a] = newCounter(len(r.series))
		}
	}
	for n := range b.Items {
		r.item(b, n)
	}
}

func (r *Recorder) item(b *Batch, n int) {
	i, o := &b.Items[n], b.Outcome(n)
	switch {
	case i.Malformed != fault.WellFormed:
		if o == Sent {
			r.violations[i.Malformed]++
		}
	case i.Duplicate:
		if o == Sent {
			r.duplicates++
		}
	default:
		at := b.Times[n] / 1e6
		counts := CountsOf(&i.Event)
		r.all.add(i.Event.Series, &counts, o, at)
		for a, c := range r.apis {
			if c != nil {
				counts = r.sources[a].Counts(&i.Event)
				c.add(i.Event.Series, &counts, b.Outcomes[a][n], at)
			}
		}
	}
}

// Revise counts an event that a later write has, or may have, delivered after all:
// its outcome at an API was one and is another; all is its best outcome before.
func (r *Recorder) Revise(a API, e *traffic.Event, from, all, to Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := r.sources[a].Counts(e)
	r.apis[a].move(e.Series, &counts, from, to)
	if to < all {
		counts = CountsOf(e)
		r.all.move(e.Series, &counts, all, to)
	}
}

// Truth is the truth up to now.
func (r *Recorder) Truth() Truth {
	r.mu.Lock()
	defer r.mu.Unlock()
	truth := Truth{
		Started:      r.started,
		Done:         r.done,
		Events:       r.all.events[Sent],
		Frames:       r.frames,
		Bytes:        r.bytes,
		Duplicates:   r.duplicates,
		Violations:   map[string]int64{},
		Series:       []SeriesTruth{},
		Unsure:       r.all.outcome(Unsure, r.series),
		Missed:       r.all.missed(r.series),
		Unsubscribed: r.all.outcome(Unsubscribed, r.series),
		APIs:         map[string]APITruth{},
		Sockets:      r.sockets,
		Requests:     r.requests,
		Channels:     r.channels,
	}
	for kind, count := range r.violations {
		if count > 0 {
			truth.Violations[fault.Malformation(kind).String()] = count
		}
	}
	for n, series := range r.series {
		s := SeriesTruth{Series: series, Counts: r.all.counts[Sent][n], Open: r.open(n)}
		if s.Counts != (Counts{}) || s.Open != 0 {
			truth.Series = append(truth.Series, s)
			truth.Total.add(&s.Counts, 1)
		}
	}
	for a, c := range r.apis {
		if c != nil {
			truth.APIs[r.sources[a].Name()] = c.truth(r.series)
		}
	}
	return truth
}

// open is the number of sessions open in a series, by all that happened in it.
func (r *Recorder) open(series int) int64 {
	open := r.warm[series]
	for o := range r.all.counts {
		open += r.all.counts[o][series].ConnectionsOpened - r.all.counts[o][series].ConnectionsClosed
	}
	return open
}
