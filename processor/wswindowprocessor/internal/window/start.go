// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"slices"
)

// A stream whose first event is old is either replayed or late. If it is replayed,
// its windows are those of its own time. If it is one late event ahead of others of
// the present, the windows of the hours in between would be of a time in which nothing
// was received.
//
// So the first events of a stream are held while all of them are old, for idle_timeout
// and up to 256 of them. An event of the present ends it: the stream begins there, and
// what was held is late. Otherwise it is a replay and begins with the oldest. A replay
// of few events that leaps to the present was none: the windows that it leaps over
// are not emitted.

const (
	// lookBack is how old an event of the present may be when it is read, ms.
	lookBack = 60_000
	// enoughEvents is how many old events make a replay.
	enoughEvents = 256
)

// heldEvent is an event of a stream that has not begun.
type heldEvent struct {
	place place
	event Event
}

// hold keeps an old event of a stream that has not begun. An event of the present is
// not held, nor one after which it is clear that the stream is a replay.
func (e *Engine) hold(st *stream, p *place, event *Event, observed, now int64) bool {
	if observed-event.Time <= lookBack {
		return false
	}
	if len(st.held) == 0 {
		st.heldFrom, st.heldAt = observed, now
	}
	if len(st.held) >= enoughEvents-1 || observed-st.heldFrom >= e.idle {
		e.replay(st)
		return false
	}
	held := heldEvent{*p, *event}
	held.place.group = &Group{Tags: p.group.Tags, Defaulted: p.group.Defaulted}
	held.event.Observed = observed
	st.held = append(st.held, held)
	return true
}

// replay begins a stream with what was held, in its own time.
func (e *Engine) replay(st *stream) {
	st.replaying = true
	slices.SortStableFunc(st.held, func(a, b heldEvent) int {
		return cmp.Or(cmp.Compare(a.event.Observed, b.event.Observed), cmp.Compare(a.event.Time, b.event.Time))
	})
	if len(st.held) > 0 {
		e.startEventTime(st, st.held[0].event.Time, st.held[0].event.Observed, st.heldAt)
	}
	e.release(st)
}

// release counts what was held.
func (e *Engine) release(st *stream) {
	held := st.held
	st.held = nil
	for i := range held {
		e.observe(&held[i].place, &held[i].event, nil, st.heldAt)
	}
}

// releaseAll begins the streams whose old events are held: nothing may be left out of
// what is saved.
func (e *Engine) releaseAll() {
	for _, st := range e.numbered {
		if len(st.held) > 0 {
			e.replay(st)
		}
	}
}

// releaseDue begins the streams whose old events have been held for idle_timeout.
func (e *Engine) releaseDue(st *stream, now int64) {
	if len(st.held) > 0 && now-st.heldAt >= e.idle {
		e.replay(st)
	}
}

// leap checks whether a stream that is replayed reaches the present.
func (e *Engine) leap(st *stream, t, observed int64) {
	if observed-t > lookBack {
		st.replayed++
		return
	}
	if st.replayed < enoughEvents && t-st.newest > lookBack {
		e.skipTo(st, e.grid.first(t-e.lateness))
	}
	st.replaying = false
}

// skipTo goes over windows without emitting them. What was counted in them stays in
// the totals.
func (e *Engine) skipTo(st *stream, k int64) {
	for st.next < k && st.holds(st.next) {
		for _, s := range st.series {
			e.endSessions(s, st.next)
			e.removeClosed(s, st.next)
			s.skip(st.next, e.grid)
			s.free(st.next, e.grid)
		}
		st.next++
	}
	st.next = max(st.next, k)
}

// startEventTime starts a stream's event time with the first event of the platform.
// Where only records about the stream came before, our clock was used instead of the
// platform's. Should that have run ahead, it gives way, and what was counted by
// it stays in the totals alone.
func (e *Engine) startEventTime(st *stream, t, observed, now int64) {
	st.live = true
	t = min(t, observed)
	e.begin(st, t, observed, now)
	if e.grid.first(t-e.lateness) >= st.next {
		return
	}
	for _, s := range st.series {
		s.foldPanes(e.grid)
	}
	st.begin(t, observed, now)
	st.next = e.firstOpen(st)
	for _, s := range st.series {
		s.last = st.next - 1
		e.reactivate(s, st.clockOffset)
	}
}
