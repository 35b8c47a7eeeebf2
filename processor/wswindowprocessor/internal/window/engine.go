// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package window turns events into throughput windows, in event time.
//
// The parts, from the small to the large:
//
//   - a grid says which windows hold a moment, and cuts time into panes, the
//     pieces between two neighbouring boundaries. An event is counted once, in
//     its pane; a window is the sum of its panes.
//   - a channel is what is remembered of one connection.
//   - a series (tenant, region, channel type) owns panes, channels and totals.
//   - a stream (tenant, region) owns the watermark its series share, and what is
//     known about times when it was not received.
//   - the Engine holds them all, within bounds.
//
// The package is pure: time is an argument, in unix milliseconds, and nothing
// here starts a goroutine or takes a lock.
package window

import (
	"math"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Config configures an Engine. The caller validates it.
type Config struct {
	Size               time.Duration
	Overlap            time.Duration
	AllowedLateness    time.Duration
	IdleTimeout        time.Duration
	MaxFuture          time.Duration
	ChannelTTL         time.Duration
	SeriesIdle         time.Duration
	SeriesTTL          time.Duration // 0: no series is retired
	MaxSeries          int
	MaxSeriesPerTenant int // 0: as many as MaxSeries
	MaxChannels        int
	ReopenGrace        time.Duration // see lifecycle.go
	TrackChanges       bool          // SaveChanges is called
	Sessions           SessionConfig
}

// Engine turns events into windows. It is not safe for concurrent use.
type Engine struct {
	config Config
	grid   grid

	lateness, idle, maxFuture, ttl, seriesIdle, grace int64 // ms
	seriesTTL                                         int64 // ms; the largest number where no series is retired
	sweepEvery                                        int64 // windows between two scans for expired channels
	maxOpen                                           int64 // windows of a stream
	maxDue                                            int   // see emitOf

	streams  map[streamKey]*stream
	numbered []*stream            // the same, in order of their numbers
	tenants  map[string][]*stream // the same, by tenant
	sources  map[string]*source
	series   map[wsevent.Tags]*series
	used     usage
	usedBy   map[string]usage // by tenant
	vacant   []int            // numbers of streams that are free
	sweptAt  int64            // wall clock, see retire.go
	channels int
	stats    Stats

	due []wsevent.Window

	// Of sessions, see sessions.go.
	segment, reconnectWithin int64 // ms
	segmentEvery             int64 // windows between two scans for sessions that have a segment to report
	threshold                uint64
	traceState               string
	ended                    []wsevent.Session
	dropped                  int // dropped sessions whose reconnect is waited for
	starts                   map[uint64]opening

	places     []place     // of the batch that is observed
	order      []reference // of its events, where it matters
	prefetched uint64      // see touch

	changes     []change                       // since SaveChanges
	snapshot    func() (*series, uint64, bool) // of SaveChannels
	endSnapshot func()
}

// sweeps is how often channels are scanned in the course of a channel's TTL: a channel
// expires at most a 64th part of the TTL late.
const sweeps = 64

// maxOpen is how many windows of a stream are open at most, besides those of max_future.
const maxOpen = 64

// New makes an Engine without state.
func New(config Config) *Engine {
	g := newGrid(config.Size.Milliseconds(), config.Overlap.Milliseconds())
	e := &Engine{
		config:     config,
		grid:       g,
		lateness:   config.AllowedLateness.Milliseconds(),
		idle:       config.IdleTimeout.Milliseconds(),
		maxFuture:  config.MaxFuture.Milliseconds(),
		ttl:        config.ChannelTTL.Milliseconds(),
		seriesIdle: config.SeriesIdle.Milliseconds(),
		grace:      config.ReopenGrace.Milliseconds(),
		sweepEvery: max(1, config.ChannelTTL.Milliseconds()/sweeps/g.step),
		maxOpen:    maxOpen + config.MaxFuture.Milliseconds()/g.step,
		streams:    map[streamKey]*stream{},
		tenants:    map[string][]*stream{},
		sources:    map[string]*source{},
		series:     map[wsevent.Tags]*series{},
		seriesTTL:  math.MaxInt64,
		usedBy:     map[string]usage{},
		maxDue:     max(leastDue, dueWindows*config.MaxSeries),
	}
	if config.SeriesTTL > 0 {
		e.seriesTTL = config.SeriesTTL.Milliseconds()
	}
	e.configureSessions()
	e.addStream(streamKey{overflow: true})
	return e
}

// Drain returns the windows that have closed since the last call, in order of time
// within each series. The caller owns them.
func (e *Engine) Drain() []wsevent.Window {
	due := e.due
	e.due = nil
	return due
}

// fitting is how many slots of a table stay in the processor's cache by
// themselves.
const fitting = 1 << 13

// prefetch loads the channels of a batch into the cache. One at a time, each would be a
// cache miss; here the misses overlap.
func (e *Engine) prefetch(s *series, events []Event) {
	if s == nil || len(s.channels.slots) < fitting {
		return
	}
	for i := range events {
		e.prefetched += s.channels.prefetch(events[i].Channel)
	}
	if s.channels.sessions != nil {
		e.prefetched += s.prefetchSessions(events)
	}
}

// firstOpen is the first window that the stream's watermark has not closed.
func (e *Engine) firstOpen(st *stream) int64 { return e.grid.first(st.watermark - e.lateness) }

// Advance advances the streams to the wall clock, unix ms: windows of streams without
// events, and of streams whose clock is ahead, close by it.
func (e *Engine) Advance(now int64) {
	e.sweepSeries(now)
	for _, st := range e.numbered {
		e.releaseDue(st, now)
		st.advanceIdle(st.clock(now), st.idleAfter(e.idle))
		e.advance(st)
	}
}

// Flush closes every window that holds an event, as incomplete: the rest of it will not
// be received.
func (e *Engine) Flush() {
	e.releaseAll()
	for _, st := range e.streams {
		st.addGap(math.MinInt64, math.MaxInt64)
		for e.pending(st) {
			e.emit(st)
		}
	}
}

func (e *Engine) pending(st *stream) bool {
	for _, s := range st.series {
		if s.last >= st.next || s.unreported() {
			return true
		}
	}
	return false
}

// advance emits the windows that the watermark has passed.
func (e *Engine) advance(st *stream) {
	if !st.started {
		return
	}
	reached := st.effectiveWatermark(e.ttl)
	for e.grid.end(st.next)+e.lateness <= reached {
		if e.quiescent(st) {
			st.next = e.grid.first(reached - e.lateness)
			return
		}
		e.emit(st)
	}
}

// At most leastDue windows may be due before true zeros are passed over, or
// dueWindows of all series where that is more. Event time that leaps over hours, as in
// a replay with a hole, would else make any number of them at once.
const (
	leastDue   = 10_000
	dueWindows = 8
)

// quiescent reports whether no series of the stream has anything to emit from the next
// window on, however far the watermark has advanced.
func (e *Engine) quiescent(st *stream) bool {
	for _, s := range st.series {
		if !s.quiescent(st.next, e.grid, e.seriesIdle) {
			return false
		}
	}
	return true
}

// emit ends the stream's next window in all its series.
func (e *Engine) emit(st *stream) {
	k := st.next
	start, end := e.grid.start(k), e.grid.end(k)
	all, blind := st.coverage(start, end)
	for _, s := range st.series {
		dropped := e.endSessions(s, k)
		e.removeClosed(s, k)
		if k < s.from {
			s.skip(k, e.grid)
		} else {
			e.emitOf(s, k, all, blind, dropped)
		}
		s.free(k, e.grid)
		if k%e.sweepEvery == 0 {
			e.expire(s, e.grid.start(k+1)-e.ttl)
		}
		if k%e.segmentEvery == 0 {
			e.cutSegments(s, e.grid.start(k+1))
		}
	}
	st.next++
	st.dirty = true
	st.dropGaps(e.grid.start(st.next))
	e.forgetDrops(st)
}

// emitOf ends window k of a series.
func (e *Engine) emitOf(s *series, k int64, all, blind bool, dropped []wsevent.Exemplar) {
	unreported := s.unreported()
	counts := s.close(k, e.grid)
	e.stats.LateEvents += counts.LateEvents
	if !unreported && counts == (wsevent.Counts{}) {
		if blind || s.active == 0 && !s.recent(e.grid.end(k), e.seriesIdle) {
			return // Nothing to emit: no data is not zero.
		}
		if len(e.due) >= e.maxDue {
			e.stats.SkippedWindows++
			return
		}
	}
	e.due = append(e.due, s.window(k, e.grid, counts, all && !s.at(k).partial))
	if e.config.Sessions.Enabled {
		s.addSessions(&e.due[len(e.due)-1], dropped)
	}
	e.stats.Windows++
}
