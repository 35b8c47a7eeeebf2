// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// The fields of saved state, for both directions (see message.go). Times are unix ms,
// spans ms.

// Numbers of fields that are read by themselves.
const (
	fieldGeneration = 1 // of a stream
	fieldSize       = 2 // of a stream: the grid that its windows are of
	fieldStep       = 3
	fieldSeries     = 4
	fieldChannels   = 1 // of a chunk of channels
	fieldSessions   = 2 // of a chunk of channels: their sessions
)

func (s *stream) fields(m *message) {
	m.string(5, &s.key.tenant)
	m.string(6, &s.key.region)
	m.bool(7, &s.key.overflow)
	m.int(8, &s.next)
	m.bool(9, &s.started)
	m.bool(10, &s.live)
	m.int(11, &s.watermark)
	m.int(12, &s.newest)
	m.int(13, &s.clockOffset)
	m.int(14, &s.observed)
	m.int(15, &s.arrived)
	m.int(16, &s.watermarkAtArrival)
	m.int(17, &s.lag)
	m.bool(18, &s.replaying)
	m.replayed(19, &s.replayed)
	m.int(20, &s.liveness.interval)
	m.int(21, &s.liveness.latest)
	m.int(22, &s.connectedAt)
	m.sockets(23, &s.down)
	m.int(24, &s.downSince)
	m.int(25, &s.watermarkAtDown)
	m.bool(26, &s.ended)
	m.bool(27, &s.away)
	m.bool(28, &s.awayInPast)
	m.int(29, &s.awaySince)
	m.gaps(30, &s.gaps)
	m.float(31, &s.skew)
	m.bool(32, &s.skewKnown)
	m.int(33, &s.skewAt)
	m.int(35, &s.lostUntil) // 34: sourceFields, 36: droppedFields
	m.int(40, &s.unconfirmedBefore)
	m.gaps(41, &s.unhealed)
	m.int(42, &s.healed.start)
	m.int(43, &s.healed.end)
}

func (m *message) gaps(number protowire.Number, gaps *[]gap) {
	m.each(number, len(*gaps), func(i int, m *message) {
		if m.reading {
			*gaps = append(*gaps, gap{})
		}
		m.int(1, &(*gaps)[i].start)
		m.int(2, &(*gaps)[i].end)
	})
}

// sourceFields are the connections that the stream is fed by.
func (e *Engine) sourceFields(m *message, s *stream) {
	m.each(34, len(s.sources), func(i int, m *message) {
		var name string
		if !m.reading {
			name = s.sources[i].name
		}
		m.string(1, &name)
		if m.reading && len(s.sources) < maxSources {
			s.feed(e.sourceOf(name, math.MaxInt64))
		}
	})
}

func (s *series) fields(m *message) {
	m.bool(1, &s.retired)
	if s.retired {
		return
	}
	m.string(2, &s.tags.ChannelType)
	m.int(3, &s.latest)
	m.int(4, &s.resumed)
	m.count(5, &s.late)
	m.int(6, &s.from)
	m.int(7, &s.since)
	m.bool(8, &s.reported)
	m.bool(9, &s.pendingTotals)
	m.counts(10, &s.totals)
	m.reconstructed(13, &s.reconstructed)
	if m.reading && s.reconstructed == (wsevent.Reconstructed{}) {
		s.oldReconstructed(m)
	}
	next := s.stream.next
	m.each(11, int(max(0, s.last+1-next)), func(i int, m *message) {
		panes := &s.slot(next + int64(i)).panes
		m.counts(1, &panes[0])
		m.counts(2, &panes[1])
	})
	m.one(12, func(m *message) {
		switch {
		case m.reading && len(m.in) > 0:
			s.sessions = newSessions(0)
			s.sessions.fields(m)
		case !m.reading && s.sessions != nil:
			s.sessions.fields(m)
		}
	})
}

// oldReconstructed reads the sums of states of before, under the number of the sessions.
// No field of theirs has the number and the type of one of the sums.
func (s *series) oldReconstructed(m *message) {
	m.each(12, 0, func(_ int, m *message) {
		var sums wsevent.Reconstructed
		m.sums(&sums)
		s.reconstructed.Opened += sums.Opened
		s.reconstructed.Closed += sums.Closed
		s.reconstructed.Present += sums.Present
	})
}

func (m *message) counts(number protowire.Number, c *wsevent.Counts) {
	m.one(number, func(m *message) {
		for i := range wsevent.Sums {
			m.count(protowire.Number(wsevent.Sums[i].Saved), wsevent.Sums[i].Of(c)) //nolint:gosec // from 1
		}
	})
}

func (m *message) reconstructed(number protowire.Number, r *wsevent.Reconstructed) {
	m.one(number, func(m *message) { m.sums(r) })
}

func (m *message) sums(r *wsevent.Reconstructed) {
	m.count(1, &r.Opened)
	m.count(2, &r.Closed)
	m.count(3, &r.Present)
}

func (m *message) replayed(number protowire.Number, v *int) {
	n := int64(*v)
	m.count(number, &n)
	*v = int(min(n, math.MaxInt32))
}

// sockets are the connections that are down.
func (m *message) sockets(number protowire.Number, down *map[uint16]struct{}) {
	sorted := slices.Sorted(maps.Keys(*down))
	m.each(number, len(sorted), func(i int, m *message) {
		var socket uint64
		if !m.reading {
			socket = uint64(sorted[i])
		}
		m.uint(1, &socket)
		if m.reading {
			if *down == nil {
				*down = map[uint16]struct{}{}
			}
			(*down)[uint16(socket)] = struct{}{} //nolint:gosec // it was one when it was written
		}
	})
}
