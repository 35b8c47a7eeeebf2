// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// A channel is open from its first sign to its close, both included, and belongs
// to every window that holds a moment of that stay. What counts is the order of
// the events' times, not of their arrival: as long as the events of a channel are
// out of order by less than a window's size, the result is the same.
//
// The series does not store which channels belong to which window. It stores,
// for each window, by how many its active channels differ from those of the window
// before, so that an event costs the same with ten channels and with a million,
// and so does the close of a window.
//
// After a close, what comes of the same channel within reopen_grace is an echo of it: it
// is counted, and opens nothing. An explicit open always does.

// follow lets an event act on its channel. It reports whether the event is the
// same that was counted before: the open or the close of this channel at this
// very moment.
func (e *Engine) follow(s *series, event *Event, t int64) (repeated bool) {
	c := s.channels.find(event.Channel)
	if c == nil {
		e.meet(s, event, t)
		return false
	}
	before := *c
	switch {
	case event.Kind == ConnectionClose:
		if c.closed() && c.lastSeen() == t {
			return true
		}
		e.close(s, c, event.Channel, t)
	case event.Kind == ConnectionOpen && (c.opened() && c.firstSeen() == t || c.lastIsOpen() && c.lastSeen() == t):
		return true
	default:
		e.see(s, c, t, event.Kind)
	}
	// That it was seen once more is not worth saving at once; a round through all
	// channels will.
	if before.from != c.from || before.closed() != c.closed() {
		e.changed(s, event.Channel)
	}
	return false
}

// changed remembers a channel that is not as it was saved.
func (e *Engine) changed(s *series, id uint64) {
	if e.config.Saved {
		e.changes = append(e.changes, change{s, id})
	}
}

// forget takes a channel out. Those that move by it may slip past a round through
// all channels, and so count as changed.
func (e *Engine) forget(s *series, id uint64) {
	s.channels.remove(id, func(moved uint64) {
		if e.round != nil {
			e.changed(s, moved)
		}
	})
	e.channels--
	e.changed(s, id)
}

// meet takes in a channel that is not known. A close of one counts as a channel
// that was open at that moment. When all windows of that moment are past, only an
// open still says something: a message may belong to a channel that has closed
// since and is forgotten, and would stay open here for the whole TTL.
func (e *Engine) meet(s *series, event *Event, t int64) {
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
	s.channels.put(event.Channel, newChannel(t, event.Kind))
	e.changed(s, event.Channel)
	e.shift(s, e.grid.first(t), 1)
	if closed {
		e.leave(s, event.Channel, t)
	}
}

// see notes a sign of life at t, which may be an open. What follows a close within
// reopen_grace is its echo, unless it is an open.
func (e *Engine) see(s *series, c *channel, t int64, kind Kind) {
	switch {
	case c.closed() && t > c.lastSeen():
		if kind == ConnectionOpen || t-c.lastSeen() > e.grace {
			e.reopen(s, c, t, kind)
		}
		return
	case t < c.firstSeen(): // it overtook what opened it here
		e.shift(s, e.grid.first(c.firstSeen()), -1)
		e.shift(s, e.grid.first(t), 1)
		c.from = packFrom(t, kind == ConnectionOpen)
	case t == c.firstSeen() && kind == ConnectionOpen:
		c.from = packFrom(t, true)
	}
	if !c.closed() && t > c.lastSeen() {
		c.seen = packSeen(t, kind)
	}
}

// reopen begins a new stay of a closed channel, or goes on with the old one where
// no window lies between the two.
func (e *Engine) reopen(s *series, c *channel, t int64, kind Kind) {
	left, back := e.grid.last(c.lastSeen())+1, e.grid.first(t)
	if back <= left {
		e.shift(s, left, 1)
	} else {
		e.shift(s, back, 1)
		c.from = packFrom(t, kind == ConnectionOpen)
	}
	c.seen = packSeen(t, kind)
}

// close ends a stay at t. A later sign of life that has been seen already keeps the
// channel open, unless it is but an echo of what ends here.
func (e *Engine) close(s *series, c *channel, id uint64, t int64) {
	switch latest := c.lastSeen(); {
	case c.closed() && t > latest:
		e.reopen(s, c, t, ConnectionClose)
	case c.closed():
		if t < c.firstSeen() {
			e.see(s, c, t, ConnectionClose)
		}
		return
	case t < latest:
		first := t < c.firstSeen()
		echo := latest-t <= e.grace && !c.lastIsOpen() && (!first || !c.opened())
		if first {
			e.see(s, c, t, ConnectionClose)
		}
		if !echo {
			return
		}
	}
	c.seen = packSeen(t, ConnectionClose)
	e.leave(s, id, t)
}

// leave takes a channel out of the windows behind its close. It is remembered for as
// long as an echo may come.
func (e *Engine) leave(s *series, id uint64, t int64) {
	e.shift(s, e.grid.last(t)+1, -1)
	slot := s.slot(max(e.grid.last(t+e.grace), s.stream.next))
	slot.closed = append(slot.closed, id)
}

// shift changes the number of active channels from window k on. Windows that are
// emitted stay as they are.
func (e *Engine) shift(s *series, k int64, by int32) {
	s.slot(max(k, s.stream.next)).change += by
}

// free empties slot k once its window is closed, and forgets the channels that no
// echo can reach any more.
func (e *Engine) free(s *series, k int64) {
	for _, id := range s.at(k).closed {
		if c := s.channels.find(id); c != nil && c.closed() && e.grid.last(c.lastSeen()+e.grace) <= k {
			e.forget(s, id)
		}
	}
	s.free(k, e.grid)
}

// expire takes out the open channels that gave no sign of life since t.
func (e *Engine) expire(s *series, t int64) {
	s.channels.each(func(id uint64, c channel) bool {
		if c.closed() || c.lastSeen() >= t {
			return false
		}
		e.forget(s, id)
		s.active--
		e.stats.ExpiredChannels++
		return true
	})
}
