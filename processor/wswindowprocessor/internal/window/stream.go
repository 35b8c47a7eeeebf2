// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

type streamKey struct {
	tenant, region string
	overflow       bool
}

// stream is what the series of one (tenant, region) share: how far its event
// time has advanced, and when it was not received.
type stream struct {
	key    streamKey
	number int // under which it is saved
	dirty  bool
	vacant bool // holds the place of a number that is free

	series []*series
	next   int64 // the first window that is not emitted yet

	// The watermark never falls and never passes the wall clock.
	started            bool // the fields below hold something
	live               bool // an event of the platform has been seen
	watermark          int64
	newest             int64 // latest event time; beyond the wall clock when the platform is ahead
	clockOffset        int64 // of the event that is the newest: of the receiver's clock, ms
	observed           int64 // the receiver's clock at the latest event
	arrived            int64 // wall clock at the latest arrival
	watermarkAtArrival int64 // the watermark at that arrival
	lag                int64 // how long that event had been on its way, ms

	held             []heldEvent // see start.go
	heldFrom, heldAt int64       // the receiver's clock and ours, at the first of them
	replaying        bool        // began in the past, and has not come to the present
	replayed         int         // events since

	liveness liveness

	sources         []*source           // that it comes from, where they report what they have delivered
	connectedAt     int64               // the receiver's clock, when it first connected; 0: not known
	down            map[uint16]struct{} // the sockets that are down
	downSince       int64               // our clock, when the first of them went
	watermarkAtDown int64               // the watermark then
	ended           bool                // the receiver of the connections that are down has shut down
	away            bool                // we were, and nothing has come since
	awayInPast      bool                // and what came before was of the past
	awaySince       int64               // our clock
	gaps            []gap               // in the stream's time, overlapping at will
	lostUntil       int64               // end of the latest gap that is no longer among them

	dropped map[uint64]recentDrop // sessions, by user, whose reconnect is waited for

	unconfirmedBefore int64 // see reconstructed.go; 0: nothing is unconfirmed
	unhealed          []gap // see healed.go, in the stream's time, in order of their arrival
	healed            gap   // in which every gap is healed; empty: none is

	countedFrom, countedTo int64 // see reconstructed.go; not saved, equal: no restore

	skew      float64 // ms
	skewAt    int64   // unix ms
	skewKnown bool
}

// tags are the tags of records about the stream.
func (s *stream) tags() wsevent.Tags {
	if s.key.overflow {
		return overflowOf(s.key.tenant)
	}
	return wsevent.Tags{TenantID: s.key.tenant, Region: s.key.region, ChannelType: wsevent.Unknown}
}

// gap is a time in which the stream was not received completely: [start, end), unix ms.
type gap struct{ start, end int64 }

// maxGaps bounds the gaps kept for windows that are still open, and those that are not
// healed. Past it the two oldest are taken for one, which can only make more windows
// incomplete, or not healed.
const maxGaps = 32

// begin sets the watermark to t.
func (s *stream) begin(t, observed, now int64) {
	s.started = true
	s.watermark, s.newest, s.watermarkAtArrival, s.observed, s.arrived, s.clockOffset, s.lag = t, t, t, observed, now, t-observed, now-observed
}

// arrive moves the watermark for an event of the platform stamped t.
func (s *stream) arrive(t, observed, now int64) {
	if s.liveness.interval > 0 {
		s.observe(observed)
	}
	if s.awayInPast { // where in its own time we were away is known by its events only
		s.away, s.awayInPast = false, false
		s.addGap(math.MinInt64, t)
	}
	if t > s.newest {
		s.newest, s.clockOffset = t, t-observed
	}
	s.observed = max(s.observed, observed)
	s.watermark = max(s.watermark, min(s.newest, s.observed))
	s.arrived, s.watermarkAtArrival, s.lag = max(s.arrived, now), s.watermark, now-observed
	if s.away || s.ended {
		s.resume(observed)
		s.returned(observed)
	}
}

// advanceIdle advances the watermark by the receiver's clock: a platform that runs ahead is
// followed as the clock catches up with it, and a stream that has been quiet for idle
// moves on at the clock's pace, from its own time. (To jump to the clock
// would make everything late that a slow platform clock or a paused replay still
// delivers.)
func (s *stream) advanceIdle(clock, idle int64) {
	if !s.started {
		return
	}
	reached := s.newest
	if quiet := clock - s.observed; quiet >= idle {
		reached = max(reached, s.watermarkAtArrival+quiet)
	}
	s.watermark = max(s.watermark, min(reached, clock))
}

// clock is the receiver's clock at the wall clock's now.
func (s *stream) clock(now int64) int64 {
	if len(s.sources) > 0 {
		return max(s.delivered(now), now-maxBlocked)
	}
	return s.observed + now - s.arrived
}

// replayIdle is how long a replay may pause without losing its place, ms.
const replayIdle = 30_000

// idleAfter is how long a stream must be without events before the clock advances it, ms. Windows of
// the past are not urgent, and their delivery may be slow.
func (s *stream) idleAfter(idle int64) int64 {
	if s.lag > lookBack {
		return max(idle, replayIdle)
	}
	return idle
}

// apply applies a record about the stream.
func (s *stream) apply(event *Event, observed, now int64) {
	switch event.Kind {
	case Alive:
		s.returned(observed)
		if event.Time > s.downSince { // the receiver may have connected before it knew of the stream
			s.raise(event, observed)
		}
		s.heartbeat(event.Time, event.Every)
	case Connected:
		s.returned(event.Time)
		s.up(event, observed)
		s.anchor(observed, now)
		if s.connectedAt == 0 {
			s.connectedAt = event.Time
		}
	case Disconnected:
		if len(s.down) == 0 {
			s.down, s.downSince, s.watermarkAtDown = map[uint16]struct{}{}, event.Time, s.watermark
		}
		s.down[event.Socket] = struct{}{}
		s.ended = event.Shutdown
	case Gap:
		start, end := s.toStreamTime(event.Time, event.GapEnd, observed)
		if event.Unknown {
			s.blind(start, end)
		} else {
			s.addGap(start, end)
		}
	case Healed:
		start, end := s.toStreamTime(event.Time, event.GapEnd, observed)
		s.confirm(end)
		if !event.Unknown {
			s.heal(gap{start, end})
		}
	case Skew:
		if event.Time >= s.skewAt {
			s.skew, s.skewKnown, s.skewAt = event.Skew, true, event.Time
		}
	}
}

// anchor sets the receiver's clock anew: the one that is connected now may be another
// one than before, and a stream that was quiet before a restart has no other hold.
func (s *stream) anchor(observed, now int64) {
	if s.started && observed > s.observed {
		s.observed, s.arrived, s.watermarkAtArrival, s.lag = observed, max(s.arrived, now), s.watermark, now-observed
	}
}

// returned ends a time in which the stream was not received because its receiver had shut
// down: later observations are of the next one.
func (s *stream) returned(observed int64) {
	if s.ended && observed > s.downSince {
		s.ended, s.down = false, nil
		s.addGap(s.toStreamTime(s.downSince, observed, observed))
	}
}

// up records that a connection is up.
func (s *stream) up(event *Event, observed int64) {
	if !s.raise(event, observed) {
		s.receiverRestarted(event.Time)
	}
	s.liveness = liveness{interval: event.Every, latest: max(s.liveness.latest, event.Time)}
}

// raise marks a connection as up. It reports whether it was down.
func (s *stream) raise(event *Event, observed int64) bool {
	if _, down := s.down[event.Socket]; !down {
		return false
	}
	if delete(s.down, event.Socket); len(s.down) == 0 {
		s.addGap(s.toStreamTime(s.downSince, event.Time, observed))
	}
	return true
}

// resume ends the time in which we were away.
func (s *stream) resume(observed int64) {
	if s.away && !s.awayInPast && observed >= s.awaySince {
		s.away = false
		s.addGap(s.toStreamTime(s.awaySince, observed, observed))
	}
}

// awayAt reports whether we were away at t, our clock, for all we know.
func (s *stream) awayAt(t int64) bool { return s.away && (s.awayInPast || t > s.awaySince) }

// recent is how old a gap's end may be to be of the present, in ms.
const recent = 60_000

// toStreamTime converts a time of our clock to the stream's, which is that of its events. A
// gap that ended long ago comes out of an archive, as the events around it do; it
// is not moved.
func (s *stream) toStreamTime(start, end, observed int64) (ownStart, ownEnd int64) {
	if s.liveness.interval == 0 && (!s.live || observed-end > recent) {
		return start, end
	}
	return start + s.clockOffset, end + s.clockOffset
}

// addGap records a time in which events were missed.
func (s *stream) addGap(start, end int64) {
	s.missed(gap{start, end})
	s.blind(start, end)
}

// blind records a time in which windows are incomplete.
func (s *stream) blind(start, end int64) {
	if end <= start {
		return
	}
	s.unconfirm(end)
	s.gaps = appendGap(s.gaps, gap{start, end})
}

// appendGap appends a gap to at most maxGaps.
func appendGap(gaps []gap, one gap) []gap {
	if len(gaps) == maxGaps {
		gaps[1] = gap{min(gaps[0].start, gaps[1].start), max(gaps[0].end, gaps[1].end)}
		gaps = gaps[1:]
	}
	return append(gaps, one)
}

// coverage reports whether the stream was received in all of [start, end), and whether so
// little of it was that a zero would be a guess (blind). While a connection is down, after
// a restart, while heartbeats are overdue, or received events are not delivered, nothing is
// known of the time after the latest event. With one of several connections down, some of
// the events are missing.
func (s *stream) coverage(start, end int64) (all, blind bool) {
	blind = (len(s.down) > 0 || s.awayAt(end-s.clockOffset) || s.liveness.overdue(end-s.clockOffset) || s.undelivered(end-s.clockOffset)) && end > s.newest
	all = !blind && start >= s.connectedAt+s.clockOffset && (len(s.down) == 0 || end <= s.downSince+s.clockOffset)
	for _, g := range s.gaps {
		if g.start < end && g.end > start {
			all = false
			blind = blind || g.start <= start && g.end >= end
		}
	}
	return all, blind
}

// dropGaps drops the gaps that ended before t.
func (s *stream) dropGaps(t int64) {
	kept := s.gaps[:0]
	for _, g := range s.gaps {
		if g.end > t {
			kept = append(kept, g)
		} else {
			s.lostUntil = max(s.lostUntil, g.end)
		}
	}
	s.gaps = kept
}

// holds reports whether anything was counted in window k or a later one.
func (s *stream) holds(k int64) bool {
	for _, one := range s.series {
		if one.last >= k {
			return true
		}
	}
	return false
}
