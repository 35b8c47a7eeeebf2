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
	arrived   int64 // wall clock at the latest arrival
	mark      int64 // the watermark at that arrival

	down  bool
	since int64 // while down: unix ms of the disconnect
	gaps  []gap // in order of arrival, overlapping at will

	skew      float64 // ms
	skewKnown bool
}

// gap is a time without a live stream, [start, end), unix ms.
type gap struct{ start, end int64 }

// maxGaps bounds the gaps kept for windows that are still open. Past it the two
// oldest are taken for one, which can only make more windows incomplete.
const maxGaps = 32

// begin sets the watermark to t.
func (s *stream) begin(t, now int64) {
	s.begun = true
	s.watermark, s.newest, s.mark, s.arrived = t, t, t, now
}

// arrive moves the watermark for an event of the platform stamped t.
func (s *stream) arrive(t, now int64) {
	s.newest = max(s.newest, t)
	s.watermark = max(s.watermark, min(s.newest, now))
	s.arrived, s.mark = now, s.watermark
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
func (s *stream) hear(event *Event) {
	switch event.Kind {
	case Connected:
		if s.down {
			s.addGap(s.since, event.Time)
			s.down = false
		}
	case Disconnected:
		if !s.down {
			s.down, s.since = true, event.Time
		}
	case Gap:
		s.addGap(event.Time, event.GapEnd)
	case Skew:
		s.skew, s.skewKnown = event.Skew, true
	}
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

// listening says how much of [start, end) somebody listened to the stream.
func (s *stream) listening(start, end int64) (all, none bool) {
	all = true
	if s.down && s.since < end {
		all, none = false, s.since <= start
	}
	for _, g := range s.gaps {
		if g.start < end && g.end > start {
			all = false
			none = none || g.start <= start && g.end >= end
		}
	}
	return all, none
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
