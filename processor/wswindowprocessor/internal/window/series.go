// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math/bits"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// series is one set of tags: what was counted in its open panes, which channels
// it knows, and its running totals.
type series struct {
	tags     wsevent.Tags
	stream   *stream
	number   int // among the series of its stream
	channels table
	sessions *sessions // of the channels; nil before the first, and where none are kept

	slots  []slot // a ring: slot k lives at k modulo its length, a power of two
	last   int64  // the highest slot in use
	active int64  // channels that belong to the window before stream.next

	latest  int64 // event time of the latest event
	resumed int64 // event time of the event that ended the latest series_idle without events
	late    int64 // events that missed a window, reported in the next one

	from          int64 // the first window that may be emitted; none is emitted twice
	since         int64 // unix ms: where the totals begin
	reported      bool  // since has been emitted, and stays
	totals        wsevent.Counts
	reconstructed wsevent.Reconstructed
	reconciled    reconciled
	pendingTotals bool // the totals grew by events that are in no window to come
	retired       bool // see retire.go
}

// slot is what belongs to one step of the grid.
type slot struct {
	panes  [2]wsevent.Counts
	change int32    // active channels of this window, less those of the one before
	closed []uint64 // channels that are forgotten with this window

	partial bool // a channel of this window is not followed

	drops []candidate // for the exemplars, of sessions whose close this window holds first
}

func newSeries(tags wsevent.Tags, s *stream, g grid, t int64) *series {
	from := max(g.first(t), s.next)
	return &series{
		tags:    tags,
		stream:  s,
		slots:   make([]slot, fewestSlotsOf(g)),
		last:    s.next - 1,
		latest:  t,
		resumed: t,
		from:    from,
		since:   g.start(from),
	}
}

// fewestSlotsOf is how many slots a series has while nothing waits for a late window.
func fewestSlotsOf(g grid) int { return 1 << bits.Len64(uint64(g.steps)+2) } //nolint:gosec // positive

// slot gives the slot k, which must not lie before stream.next, for writing.
func (s *series) slot(k int64) *slot {
	if k-s.stream.next >= int64(len(s.slots)) {
		s.grow(k)
	}
	s.last = max(s.last, k)
	return s.at(k)
}

func (s *series) at(k int64) *slot { return &s.slots[k&int64(len(s.slots)-1)] }

func (s *series) grow(k int64) {
	length := int64(1) << bits.Len64(uint64(k-s.stream.next))
	slots := make([]slot, length)
	for i := s.stream.next; i <= s.last; i++ {
		slots[i&(length-1)] = *s.at(i)
	}
	s.slots = slots
}

// count counts an event at t: in its pane as long as a window that
// holds it is open, and in the totals at once when its pane is already in them.
func (s *series) count(event *Event, g grid, t, idle int64) {
	next := s.stream.next
	if g.first(t) < next && event.Reconstructed == Received {
		s.late++
	}
	if t-s.latest > idle {
		s.resumed = t
	}
	s.latest = max(s.latest, t)
	pane := g.pane(t)
	if pane < g.panesEnd(next-1) {
		s.countInTotals(event)
	}
	k := g.last(t)
	if k >= next {
		add(&s.slot(k).panes[pane&1], event)
	}
	if !s.reported && k >= next {
		s.from = min(s.from, max(g.first(t), next))
		s.since = g.start(s.from)
	}
}

// countInTotals counts an event that is in no open pane.
func (s *series) countInTotals(event *Event) {
	add(&s.totals, event)
	s.pendingTotals = true
}

func add(counts *wsevent.Counts, event *Event) {
	switch event.Kind {
	case ConnectionOpen:
		if event.Reconstructed != Present {
			counts.ConnectionsOpened++
		}
		if event.reopened {
			counts.ConnectionsReopened++
		}
	case ConnectionClose:
		counts.ConnectionsClosed++
		switch {
		case event.Unknown:
			counts.ClosesUnclassified++
		case event.Abnormal:
			counts.ConnectionsDropped++
		}
	case MessageSend:
		counts.MessagesSent++
		addPayload(counts, event)
	case MessageReceive:
		counts.MessagesReceived++
		addPayload(counts, event)
	case Backpressure:
		counts.BackpressureEvents++
	case Violation:
		counts.ProtocolViolations++
	}
}

func addPayload(counts *wsevent.Counts, event *Event) {
	if event.Unknown {
		counts.MessagesUnsized++
		return
	}
	counts.PayloadBytes = wsevent.AddSaturating(counts.PayloadBytes, event.Bytes)
}

// close ends window k, which must be stream.next: it gives what was counted in
// it, carries the totals and the active channels on, and frees the slot.
func (s *series) close(k int64, g grid) (counts wsevent.Counts) {
	end := g.panesEnd(k)
	for p := 2 * k; p < end; p++ {
		counts.Add(&s.at(p >> 1).panes[p&1])
	}
	for p := g.panesEnd(k - 1); p < end; p++ {
		s.totals.Add(&s.at(p >> 1).panes[p&1])
	}
	counts.LateEvents = s.late
	s.totals.LateEvents += s.late
	s.late = 0

	s.active += int64(s.at(k).change)
	return counts
}

// skip ends window k without emitting it: what was counted in it is in the totals, and
// late events are reported in the next one that is emitted.
func (s *series) skip(k int64, g grid) {
	late := s.late
	s.late = 0
	s.pendingTotals = s.close(k, g) != wsevent.Counts{} || s.pendingTotals
	s.late = late
}

// window returns window k as it is emitted.
func (s *series) window(k int64, g grid, counts wsevent.Counts, complete bool) wsevent.Window {
	s.from, s.reported, s.pendingTotals = k+1, true, false
	return wsevent.Window{
		Tags:              s.tags,
		Start:             wsevent.UnixMilli(g.start(k)),
		End:               wsevent.UnixMilli(g.end(k)),
		Step:              time.Duration(g.step) * time.Millisecond,
		ActiveConnections: s.active,
		Counts:            counts,
		ClockSkew:         s.stream.skew,
		ClockSkewKnown:    s.stream.skewKnown,
		Complete:          complete,
		Since:             wsevent.UnixMilli(s.since),
		Totals:            s.totals,
		Reconstructed:     s.reconstructed,
		Reconciled:        s.reconciled.at(g.end(k)),
		Healed:            s.stream.healedAt(g.end(k)),
	}
}

// free empties slot k once its window is closed.
func (s *series) free(k int64, g grid) {
	freed := s.at(k)
	freed.panes = [2]wsevent.Counts{}
	freed.change, freed.partial, freed.drops = 0, false, nil
	if cap(freed.closed) > maxIdleClosed {
		freed.closed = nil
	}
	freed.closed = freed.closed[:0]
	if fewest := fewestSlotsOf(g); s.last <= k && len(s.slots) > fewest { // a backlog has made them many
		s.slots = make([]slot, fewest)
	}
}

// maxIdleClosed bounds the memory that a slot keeps for the next burst of closes.
const maxIdleClosed = 64

// recent reports whether there was an event within idle of a window's end.
func (s *series) recent(end, idle int64) bool { return s.resumed < end && end-s.latest <= idle }

// quiescent reports whether window k and all after it have nothing to emit.
func (s *series) quiescent(k int64, g grid, idle int64) bool {
	return s.active == 0 && s.last < k && !s.unreported() && g.end(k)-s.latest > idle
}

// unreported reports whether something was counted that no window has reported yet.
func (s *series) unreported() bool { return s.pendingTotals || s.late > 0 }

// foldPanes gives up the open panes: what was counted in them stays in the
// totals alone.
func (s *series) foldPanes(g grid) {
	summed := g.panesEnd(s.stream.next - 1)
	for k := s.stream.next; k <= s.last; k++ {
		panes := &s.at(k).panes
		for i := range panes {
			if 2*k+int64(i) >= summed {
				s.totals.Add(&panes[i])
				s.pendingTotals = true
			}
			panes[i] = wsevent.Counts{}
		}
	}
}
