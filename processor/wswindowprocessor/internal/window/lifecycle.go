// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// A channel is open from its first event to its close, both included, and belongs
// to every window that holds a moment of that stay. What counts is the order of
// the events' times, not of their arrival: as long as the events of a channel are
// out of order by less than a window's size, the result is the same. Between a close and
// an open at the same time, which a platform with times in seconds sends, the order of
// arrival decides.
//
// The series does not store which channels belong to which window. It stores,
// for each window, by how many its active channels differ from those of the window
// before, so that an event costs the same with ten channels and with a million,
// and so does the close of a window.
//
// After a close, what comes of the same channel within reopen_grace is an echo of it: it
// is counted, and opens nothing. An explicit open always does.

// applyToChannel applies an event to its channel. It reports whether the event is the
// same that was counted before: the open or the close of this channel at this
// very moment.
func (e *Engine) applyToChannel(s *series, event *Event, t int64) (repeated bool) {
	c := s.channels.find(event.Channel)
	counted := event.Reconstructed == Past && s.stream.countedBefore(event, c, t)
	if c == nil {
		if counted && event.Kind == ConnectionClose {
			return true
		}
		e.open(s, event, t)
		if added := s.channels.find(event.Channel); counted && added != nil {
			added.from = packFrom(t, false)
		}
		if e.config.Sessions.Enabled {
			e.applyToSession(s, event, channel{}, t)
		}
		return counted
	}
	before := *c
	switch {
	case event.Kind == ConnectionClose:
		if c.closed() && c.lastEventAt() == t {
			return true
		}
		e.close(s, c, event.Channel, t)
	case event.Kind == ConnectionOpen && (c.opened() && c.openedAt() == t || c.lastIsOpen() && c.lastEventAt() == t):
		return true
	default:
		e.touch(s, c, t, event.effect())
	}
	// That it was seen once more is not worth saving at once; a round through all
	// channels will.
	if before.from != c.from || before.closed() != c.closed() {
		e.changed(s, event.Channel)
	}
	if e.config.Sessions.Enabled {
		e.applyToSession(s, event, before, t)
	}
	return counted
}

// changed records a channel that differs from its saved state.
func (e *Engine) changed(s *series, id uint64) {
	if e.config.TrackChanges {
		e.changes = append(e.changes, change{s, id})
	}
}

// remove removes a channel. Those that move by it may be missed by a full snapshot in
// progress, and so count as changed.
func (e *Engine) remove(s *series, id uint64) {
	forgetSession(s, id)
	s.channels.remove(id, func(moved uint64) {
		if e.snapshot != nil {
			e.changed(s, moved)
		}
	})
	e.channels--
	e.changed(s, id)
}

// open adds an unknown channel. A close of one counts as a channel that was open at that
// moment. When all windows of that moment are closed, only an open is used: a message may
// belong to a channel that has closed since and is removed, and would stay open here for
// the TTL.
func (e *Engine) open(s *series, event *Event, t int64) {
	closed := event.Kind == ConnectionClose
	if event.Kind != ConnectionOpen && e.grid.last(t) < s.stream.next {
		return
	}
	if e.channels >= e.config.MaxChannels {
		e.stats.RefusedChannels++
		for k := max(e.grid.first(t), s.stream.next); k <= e.grid.last(t); k++ {
			s.slot(k).partial = true
		}
		return
	}
	e.channels++
	s.channels.put(event.Channel, newChannel(t, event.effect()))
	e.changed(s, event.Channel)
	e.adjustActive(s, e.grid.first(t), 1)
	if closed {
		e.scheduleRemoval(s, event.Channel, t)
	}
}

// touch applies an event at t, which may be an open. What follows a close within
// reopen_grace is its echo, unless it is an open.
func (e *Engine) touch(s *series, c *channel, t int64, kind Kind) {
	switch {
	case c.closed() && t == c.lastEventAt() && kind == ConnectionOpen: // the order of arrival decides
		e.reopen(s, c, t, kind)
		return
	case c.closed() && t > c.lastEventAt():
		if kind == ConnectionOpen || kind == presence || t-c.lastEventAt() > e.grace {
			e.reopen(s, c, t, kind)
		}
		return
	case t < c.openedAt(): // it overtook what opened it here
		e.adjustActive(s, e.grid.first(c.openedAt()), -1)
		e.adjustActive(s, e.grid.first(t), 1)
		c.from = packFrom(t, kind == ConnectionOpen)
	case t == c.openedAt() && kind == ConnectionOpen:
		c.from = packFrom(t, true)
	}
	if !c.closed() && t > c.lastEventAt() {
		c.seen = packSeen(t, kind)
	}
}

// reopen opens a closed channel again, or continues the old opening where no window lies
// between the two.
func (e *Engine) reopen(s *series, c *channel, t int64, kind Kind) {
	left, back := e.grid.last(c.lastEventAt())+1, e.grid.first(t)
	if back <= left {
		e.adjustActive(s, left, 1)
	} else {
		e.adjustActive(s, back, 1)
		c.from = packFrom(t, kind == ConnectionOpen)
	}
	c.seen = packSeen(t, kind)
}

// close closes a channel at t. A later event that has been applied keeps it open, unless
// it is an echo of this close.
func (e *Engine) close(s *series, c *channel, id uint64, t int64) {
	switch latest := c.lastEventAt(); {
	case c.closed() && t > latest:
		e.reopen(s, c, t, ConnectionClose)
	case c.closed():
		if t < c.openedAt() {
			e.touch(s, c, t, ConnectionClose)
		}
		return
	case t < latest:
		first := t < c.openedAt()
		echo := c.lastIsPresent() || latest-t <= e.grace && !c.lastIsOpen() && (!first || !c.opened())
		if first {
			e.touch(s, c, t, ConnectionClose)
		}
		if !echo {
			return
		}
	}
	c.seen = packSeen(t, ConnectionClose)
	e.scheduleRemoval(s, id, t)
}

// scheduleRemoval takes a channel out of the windows after its close. It is removed once
// no echo of it can arrive.
func (e *Engine) scheduleRemoval(s *series, id uint64, t int64) {
	e.adjustActive(s, e.grid.last(t)+1, -1)
	slot := s.slot(max(e.grid.last(t+e.grace), s.stream.next))
	slot.closed = append(slot.closed, id)
}

// adjustActive changes the number of active channels from window k on. Emitted windows do
// not change.
func (e *Engine) adjustActive(s *series, k int64, by int32) {
	s.slot(max(k, s.stream.next)).change += by
}

// removeClosed removes the channels that no echo can reach once window k is closed, and
// reports their sessions.
func (e *Engine) removeClosed(s *series, k int64) {
	for _, id := range s.at(k).closed {
		if c := s.channels.find(id); c != nil && c.closed() && e.grid.last(c.lastEventAt()+e.grace) <= k {
			if e.config.Sessions.Enabled {
				e.endSession(s, id, false)
			}
			e.remove(s, id)
		}
	}
}

// expire removes the open channels without an event since t.
func (e *Engine) expire(s *series, t int64) {
	s.channels.each(func(id uint64, c channel) bool {
		if c.closed() || c.lastEventAt() >= t {
			return false
		}
		if e.config.Sessions.Enabled {
			e.endSession(s, id, true)
		}
		e.remove(s, id)
		s.active--
		e.stats.ExpiredChannels++
		return true
	})
}
