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
// time has come, and when nobody was listening.
type stream struct {
	key     streamKey
	number  int // under which it is saved
	unsaved bool
	vacant  bool // holds the place of a number that is free

	series []*series
	next   int64 // the first window that is not emitted yet

	// The watermark never falls and never passes the wall clock.
	begun     bool // the fields below hold something
	live      bool // an event of the platform has been seen
	watermark int64
	newest    int64 // latest event time; beyond the wall clock when the platform is ahead
	ahead     int64 // of the event that is the newest: of the receiver's clock, ms
	observed  int64 // the receiver's clock at the latest event
	arrived   int64 // wall clock at the latest arrival
	mark      int64 // the watermark at that arrival
	lag       int64 // how long that event had been on its way, ms

	held             []heldEvent // see start.go
	heldFrom, heldAt int64       // the receiver's clock and ours, at the first of them
	replaying        bool        // began in the past, and has not come to the present
	replayed         int         // events since

	signs signs

	sources     []*source           // that it comes from, where they report what they have delivered
	connectedAt int64               // the receiver's clock, when it first connected; 0: not known
	down        map[uint16]struct{} // the sockets that are down
	downSince   int64               // our clock, when the first of them went
	downMark    int64               // the watermark then
	ended       bool                // whoever read the sockets that are down has ended
	away        bool                // we were, and nothing has come since
	awayInPast  bool                // and what came before was of the past
	awaySince   int64               // our clock
	gaps        []gap               // in the stream's time, overlapping at will

	skew      float64 // ms
	skewAt    int64   // unix ms
	skewKnown bool
}

// tags are those under which is counted what is said of the stream.
func (s *stream) tags() wsevent.Tags {
	if s.key.overflow {
		return overflowOf(s.key.tenant)
	}
	return wsevent.Tags{TenantID: s.key.tenant, Region: s.key.region, ChannelType: wsevent.Unknown}
}

// gap is a time in which nobody listened, or not to all of it: [start, end), unix ms.
type gap struct{ start, end int64 }

// maxGaps bounds the gaps kept for windows that are still open. Past it the two
// oldest are taken for one, which can only make more windows incomplete.
const maxGaps = 32

// begin sets the watermark to t.
func (s *stream) begin(t, observed, now int64) {
	s.begun = true
	s.watermark, s.newest, s.mark, s.observed, s.arrived, s.ahead, s.lag = t, t, t, observed, now, t-observed, now-observed
}

// arrive moves the watermark for an event of the platform stamped t.
func (s *stream) arrive(t, observed, now int64) {
	if s.signs.every > 0 {
		s.lives(observed)
	}
	if s.awayInPast { // where in its own time we were away, only its events can say
		s.away, s.awayInPast = false, false
		s.addGap(math.MinInt64, t)
	}
	if t > s.newest {
		s.newest, s.ahead = t, t-observed
	}
	s.observed = max(s.observed, observed)
	s.watermark = max(s.watermark, min(s.newest, s.observed))
	s.arrived, s.mark, s.lag = max(s.arrived, now), s.watermark, now-observed
	if s.away || s.ended {
		s.back(observed)
		s.returned(observed)
	}
}

// pass lets the receiver's clock act on the watermark: a platform that runs ahead is
// followed as the clock catches up with it, and a stream that has been quiet for idle
// moves on at the clock's pace, from where its own time stood. (To jump to the clock
// would make everything late that a slow platform clock or a paused replay still
// delivers.)
func (s *stream) pass(clock, idle int64) {
	if !s.begun {
		return
	}
	reached := s.newest
	if quiet := clock - s.observed; quiet >= idle {
		reached = max(reached, s.mark+quiet)
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

// patience is how long a stream must be quiet before the clock moves it. Nobody waits
// for the windows of the past, and whoever delivers them may be slow.
func (s *stream) patience(idle int64) int64 {
	if s.lag > lookBack {
		return max(idle, replayIdle)
	}
	return idle
}

// apply takes what a record says about the stream.
func (s *stream) apply(event *Event, observed, now int64) {
	switch event.Kind {
	case Alive:
		s.returned(observed)
		if event.Time > s.downSince { // whoever brought the socket up may not have known of the stream
			s.raise(event, observed)
		}
		s.sign(event.Time, event.Every)
	case Connected:
		s.returned(event.Time)
		s.up(event, observed)
		s.anchor(observed, now)
		if s.connectedAt == 0 {
			s.connectedAt = event.Time
		}
	case Disconnected:
		if len(s.down) == 0 {
			s.down, s.downSince, s.downMark = map[uint16]struct{}{}, event.Time, s.watermark
		}
		s.down[event.Socket] = struct{}{}
		s.ended = event.Shutdown
	case Gap:
		s.addGap(s.own(event.Time, event.GapEnd, observed))
	case Skew:
		if event.Time >= s.skewAt {
			s.skew, s.skewKnown, s.skewAt = event.Skew, true, event.Time
		}
	}
}

// anchor sets the receiver's clock anew: the one that is connected now may be another
// one than before, and a stream that was quiet before a restart has no other hold.
func (s *stream) anchor(observed, now int64) {
	if s.begun && observed > s.observed {
		s.observed, s.arrived, s.mark, s.lag = observed, max(s.arrived, now), s.watermark, now-observed
	}
}

// returned ends a time in which nobody read the stream because its receiver had ended:
// whatever is observed afterwards was read by the next one.
func (s *stream) returned(observed int64) {
	if s.ended && observed > s.downSince {
		s.ended, s.down = false, nil
		s.addGap(s.own(s.downSince, observed, observed))
	}
}

// up takes a socket that has come up.
func (s *stream) up(event *Event, observed int64) {
	if !s.raise(event, observed) {
		s.replaced(event.Time)
	}
	s.signs = signs{every: event.Every, latest: max(s.signs.latest, event.Time)}
}

// raise takes it that a socket is up. It reports whether it was down.
func (s *stream) raise(event *Event, observed int64) bool {
	if _, down := s.down[event.Socket]; !down {
		return false
	}
	if delete(s.down, event.Socket); len(s.down) == 0 {
		s.addGap(s.own(s.downSince, event.Time, observed))
	}
	return true
}

// back ends the time in which we were away.
func (s *stream) back(observed int64) {
	if s.away && !s.awayInPast && observed >= s.awaySince {
		s.away = false
		s.addGap(s.own(s.awaySince, observed, observed))
	}
}

// awayAt reports whether we were away at t, our clock, for all we know.
func (s *stream) awayAt(t int64) bool { return s.away && (s.awayInPast || t > s.awaySince) }

// recent is how old a gap's end may be to be of the present, in ms.
const recent = 60_000

// own turns a time of our clock into the stream's, which is that of its events. A
// gap that ended long ago comes out of an archive, as the events around it do; it
// stands where it is.
func (s *stream) own(start, end, observed int64) (ownStart, ownEnd int64) {
	if s.signs.every == 0 && (!s.live || observed-end > recent) {
		return start, end
	}
	return start + s.ahead, end + s.ahead
}

func (s *stream) addGap(start, end int64) {
	if end <= start {
		return
	}
	if len(s.gaps) == maxGaps {
		s.gaps[1] = gap{min(s.gaps[0].start, s.gaps[1].start), max(s.gaps[0].end, s.gaps[1].end)}
		s.gaps = s.gaps[1:]
	}
	s.gaps = append(s.gaps, gap{start, end})
}

// listening says whether somebody listened to the stream in all of [start, end),
// and whether so little is known of it that a zero would be a guess. While a
// socket is down, we have just come back, signs of life are missing, or what is read
// is not delivered, nothing is known of the time after the latest event. With one of
// several sockets down, some of the events are missing.
func (s *stream) listening(start, end int64) (all, blind bool) {
	blind = (len(s.down) > 0 || s.awayAt(end-s.ahead) || s.signs.missing(end-s.ahead) || s.unread(end-s.ahead)) && end > s.newest
	all = !blind && start >= s.connectedAt+s.ahead && (len(s.down) == 0 || end <= s.downSince+s.ahead)
	for _, g := range s.gaps {
		if g.start < end && g.end > start {
			all = false
			blind = blind || g.start <= start && g.end >= end
		}
	}
	return all, blind
}

// forgetGaps drops the gaps that ended before t.
func (s *stream) forgetGaps(t int64) {
	kept := s.gaps[:0]
	for _, g := range s.gaps {
		if g.end > t {
			kept = append(kept, g)
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
