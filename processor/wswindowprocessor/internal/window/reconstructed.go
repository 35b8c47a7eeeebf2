// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import "github.com/otelcol-ccaas/otelcol-ccaas/wsevent"

// Reconstructed events were not received on the socket: the receiver has them from a
// snapshot of a conversation, or from the platform's history. They move the active
// connections from the first window on that is still open, and those of the past the
// totals. Windows that were emitted do not change, nothing counts as late, and no
// watermark moves: an answer of the platform is no event of its stream.

// Reconstructed is how an event is known.
type Reconstructed uint8

// How an event is known.
const (
	Received Reconstructed = iota // on the socket
	Past                          // reconstructed, at its own time
	Present                       // a ConnectionOpen: the channel was open before, and is at this time
)

// presence is the kind by which a channel records a reconstructed open at our time.
const presence Kind = 255

// effect is the kind of an event to its channel.
func (e *Event) effect() Kind {
	if e.Reconstructed == Present {
		return presence
	}
	return e.Kind
}

// countReconstructed counts a reconstructed event in the totals.
func (s *series) countReconstructed(event *Event) {
	switch {
	case event.Reconstructed == Received:
		return
	case event.Kind == ConnectionClose:
		s.reconstructed.Closed++
	case event.Reconstructed == Present:
		s.reconstructed.Present++
	default:
		s.reconstructed.Opened++
	}
	s.pendingTotals = true
}

// reactivate computes anew which windows the channels of a series belong to, after its
// stream has moved back to the platform's clock, which is behind ours by offset ms. Before
// there are channels with reconstructed opens alone.
func (e *Engine) reactivate(s *series, offset int64) {
	if s.channels.used == 0 {
		return
	}
	for i := range s.slots {
		s.slots[i].change, s.slots[i].closed = 0, nil
	}
	s.channels.each(func(id uint64, c channel) bool {
		if c.lastIsPresent() {
			*s.channels.find(id) = newChannel(c.lastEventAt()+offset, presence)
			e.changed(s, id)
		}
		return false
	})
	s.active = 0
	e.channels -= s.channels.used
	e.recount(s)
}

// A receiver that is killed knows less than we do: its state is older than ours, so what was
// received between the two saves is reconstructed after the restart, and we have counted it.
// The channels that closed then are removed, so they are not recognised by themselves.

// restoredAsCounted records up to when a restored stream has counted its events: from the
// end of its latest gap to the newest event.
func (s *stream) restoredAsCounted() {
	if !s.live {
		return
	}
	s.countedFrom = s.lostUntil
	for _, g := range s.gaps {
		s.countedFrom = max(s.countedFrom, g.end)
	}
	s.countedTo = max(s.countedFrom, s.newest)
}

func (s *stream) counted(t int64) bool {
	return t >= s.countedFrom && t <= s.countedTo && s.countedTo > s.countedFrom
}

// countedBefore reports whether a reconstructed event was counted before a restore; before
// is its channel, nil: it is unknown. An open of then makes the channel active, though: its
// own may have been lost. Such a channel has not opened, by which its close is known.
func (s *stream) countedBefore(event *Event, before *channel, t int64) bool {
	if event.Reconstructed != Past || !s.counted(t) {
		return false
	}
	return before == nil || event.Kind == ConnectionClose && !before.opened() && s.counted(before.openedAt())
}

// After a gap, a channel that has had no event since may have been closed in it. Until an
// event of it, or until the receiver reports the gap as healed, it is unconfirmed: it
// counts as active because nothing says otherwise.

// unconfirm records that events before t, in the stream's time, may be lost.
func (s *stream) unconfirm(t int64) {
	if s.live {
		s.unconfirmedBefore = max(s.unconfirmedBefore, min(t, s.newest+day))
	}
}

// gapTolerance is by how much the end of a gap may differ between us and the receiver, ms:
// the offset of the clocks is that of the latest event.
const gapTolerance = 10_000

// confirm records that the gap up to end is healed.
func (s *stream) confirm(end int64) {
	if end+gapTolerance >= s.unconfirmedBefore {
		s.unconfirmedBefore = 0
	}
}

// Unconfirmed returns the number of open channels without an event since the latest gap of
// their stream. It reads all channels of the streams that have any.
func (e *Engine) Unconfirmed() (unconfirmed int) {
	for _, st := range e.numbered {
		if st.unconfirmedBefore == 0 {
			continue
		}
		found := 0
		for _, s := range st.series {
			s.channels.each(func(_ uint64, c channel) bool {
				if !c.closed() && c.lastEventAt() < st.unconfirmedBefore {
					found++
				}
				return false
			})
		}
		if found == 0 && st.watermark >= st.unconfirmedBefore {
			st.unconfirmedBefore, st.dirty = 0, true
		}
		unconfirmed += found
	}
	return unconfirmed
}

// reconciled is the latest comparison of a series with the platform.
type reconciled struct {
	latest wsevent.Reconciled
	time   int64 // unix ms
	every  int64 // ms between the latest two
}

// minValidity is the minimum time for which a comparison is that of the windows after it, ms.
const minValidity = 15 * 60_000

// reconcile takes a comparison.
func (s *series) reconcile(event *Event) {
	r := &s.reconciled
	if event.Time < r.time {
		return
	}
	if r.time != 0 {
		r.every = event.Time - r.time
	}
	r.time = event.Time
	r.latest = wsevent.Reconciled{Unreconciled: event.Bytes, UnreconciledKnown: !event.Unknown, Stuck: event.Every, StuckKnown: true}
}

// at returns the comparison of a window that ends at t; none, where it is of the past.
func (r *reconciled) at(t int64) wsevent.Reconciled {
	if t > r.time+max(3*r.every, minValidity) {
		return wsevent.Reconciled{}
	}
	return r.latest
}
