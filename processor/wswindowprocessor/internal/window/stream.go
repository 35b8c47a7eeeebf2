// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

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

	series []*series
	next   int64 // the first window that is not emitted yet

	// The watermark never falls and never passes the wall clock.
	begun     bool // the fields below hold something
	live      bool // an event of the platform has been seen
	watermark int64
	newest    int64 // latest event time; beyond the wall clock when the platform is ahead
	newestAt  int64 // wall clock when it came
	arrived   int64 // wall clock at the latest arrival
	mark      int64 // the watermark at that arrival
	ahead     int64 // of the event that is the newest: of the receiver's clock, ms

	signs signs

	down      map[uint16]struct{} // the sockets that are down
	downSince int64               // our clock, when the first of them went
	downMark  int64               // the watermark then
	away      bool                // we were, and nothing has come since
	awaySince int64               // our clock
	gaps      []gap               // in the stream's time, overlapping at will

	skew      float64 // ms
	skewKnown bool
}

// gap is a time in which nobody listened, or not to all of it: [start, end), unix ms.
type gap struct{ start, end int64 }

// maxGaps bounds the gaps kept for windows that are still open. Past it the two
// oldest are taken for one, which can only make more windows incomplete.
const maxGaps = 32

// begin sets the watermark to t.
func (s *stream) begin(t, now int64) {
	s.begun = true
	s.watermark, s.newest, s.mark, s.newestAt, s.arrived = t, t, t, now, now
}

// arrive moves the watermark for an event of the platform stamped t, by a clock
// that is ahead of the receiver's.
func (s *stream) arrive(t, ahead, now int64) {
	if s.signs.every > 0 {
		s.lives(t - ahead)
	}
	if t > s.newest {
		s.newest, s.newestAt, s.ahead = t, now, ahead
	}
	s.watermark = max(s.watermark, min(s.newest, now))
	s.arrived, s.mark = now, s.watermark
	s.back(now)
}

// pass lets the wall clock act on the watermark: a platform that runs ahead is
// followed as the wall clock catches up with it, and a stream that has been quiet
// for idle moves on at the wall clock's pace, from where its own time stood. (To
// jump to the wall clock would make everything late that a slow platform clock or
// a paused replay still delivers.)
func (s *stream) pass(now, idle int64) {
	if !s.begun {
		return
	}
	reached := s.newest
	if quiet := now - s.arrived; quiet >= idle {
		reached = max(reached, s.mark+quiet)
	}
	s.watermark = max(s.watermark, min(reached, now))
}

// hear takes what a record says about the stream.
func (s *stream) hear(event *Event, now int64) {
	switch event.Kind {
	case Alive:
		s.back(now)
		s.sign(event.Time, event.Every)
	case Connected:
		s.back(event.Time)
		s.up(event, now)
	case Disconnected:
		if len(s.down) == 0 {
			s.down, s.downSince, s.downMark = map[uint16]struct{}{}, event.Time, s.watermark
		}
		s.down[event.Socket] = struct{}{}
	case Gap:
		s.addGap(s.own(event.Time, event.GapEnd, now))
	case Skew:
		s.skew, s.skewKnown = event.Skew, true
	}
}

// up takes a socket that has come up.
func (s *stream) up(event *Event, now int64) {
	if _, down := s.down[event.Socket]; !down {
		s.replaced(event.Time)
	} else if delete(s.down, event.Socket); len(s.down) == 0 {
		s.addGap(s.own(s.downSince, event.Time, now))
	}
	s.signs = signs{every: event.Every, latest: max(s.signs.latest, event.Time)}
}

// back ends the time in which we were away.
func (s *stream) back(now int64) {
	if s.away {
		s.away = false
		s.addGap(s.own(s.awaySince, now, now))
	}
}

// recent is how old a gap's end may be to be of the present, in ms.
const recent = 60_000

// own turns a time of our clock into the stream's, which is that of its events. A
// gap that ended long ago comes out of an archive, as the events around it do; it
// stands where it is.
func (s *stream) own(start, end, now int64) (ownStart, ownEnd int64) {
	if s.signs.every > 0 {
		return start + s.ahead, end + s.ahead
	}
	if !s.live || now-end > recent {
		return start, end
	}
	ahead := s.newest - s.newestAt
	return start + ahead, end + ahead
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
// socket is down, we have just come back, or signs of life are missing, nothing is
// known of the time after the latest event.
func (s *stream) listening(start, end int64) (all, blind bool) {
	blind = (len(s.down) > 0 || s.away || s.signs.missing(end-s.ahead)) && end > s.newest
	all = !blind
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
