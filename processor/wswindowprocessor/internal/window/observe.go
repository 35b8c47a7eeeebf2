// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Windows are a function of the events and the order in which they were observed, not
// of the batches in which they arrive. Time in here is the receiver's: an event is
// evaluated as it was when it was read, whether it comes at once, out of a log an
// hour later, or together with ten thousand others. So a batch is evaluated in the
// order of observation across its groups, and windows end between two moments of
// observation, never between two events of one.
//
// Most batches end no window. For them the order makes no difference, and they are
// counted as they lie.

// place is where the events of a group go.
type place struct {
	group  *Group
	tags   wsevent.Tags // of the series
	home   *stream      // of records about the stream
	stream *stream      // of what is counted; another than home past max_series
	series *series      // nil before the first event that is counted
}

// reference names an event of a batch.
type reference struct {
	observed, time int64
	place, event   int32
}

// Observe counts a batch. Windows that end by it are there to be drained. now is the
// wall clock, unix ms.
func (e *Engine) Observe(groups []Group, now int64) { e.ObserveFrom("", groups, now) }

// ObserveFrom counts a batch of a source whose deliveries are reported with Delivered;
// "" for one that reports none.
func (e *Engine) ObserveFrom(source string, groups []Group, now int64) {
	from := e.sourceOf(source, now)
	e.placeGroups(groups, from)
	if e.mustSort(now) {
		for _, r := range e.sorted(now) {
			p := &e.places[r.place]
			e.observe(p, &p.group.Events[r.event], from, now)
		}
	} else {
		for i := range e.places {
			p := &e.places[i]
			for j := range p.group.Events {
				e.observe(p, &p.group.Events[j], from, now)
			}
		}
	}
	for i := range e.places {
		e.advance(e.places[i].home)
		e.advance(e.places[i].stream)
	}
	clear(e.places)
}

// placeGroups finds the places of a batch's groups. Those that name more of their
// dimensions come first: the other events of a channel follow it.
func (e *Engine) placeGroups(groups []Group, from *source) {
	e.places = e.places[:0]
	for i := range groups {
		if len(groups[i].Events) > 0 {
			e.places = append(e.places, e.placeOf(&groups[i], countable(groups[i].Tags), from))
		}
	}
	if len(e.places) > 1 {
		slices.SortStableFunc(e.places, func(a, b place) int { return cmp.Compare(a.group.Defaulted, b.group.Defaulted) })
	}
}

func (e *Engine) placeOf(group *Group, tags wsevent.Tags, from *source) place {
	p := place{group: group, tags: tags, home: e.streamOf(tags)}
	p.stream = p.home
	e.admit(&p)
	p.home.feed(from)
	p.stream.dirty = true
	e.prefetch(p.series, group.Events)
	return p
}

// admit finds the series of a place, or the overflow set past a limit.
func (e *Engine) admit(p *place) {
	known, ok := e.series[p.tags]
	if !ok {
		if tags, full := e.overflowFor(p); full {
			p.tags = tags
			p.stream = e.streamOf(tags)
			p.stream.dirty = true
			known = e.series[tags]
		}
	}
	p.series = known
}

// mustSort reports whether the order of a batch's events makes a difference: a window
// may end within it, or it holds records about a stream, or events that follow a
// channel into another group's series.
func (e *Engine) mustSort(now int64) bool {
	ordered := len(e.places) == 1
	for i := range e.places {
		p := &e.places[i]
		newest, latest := p.group.Events[0].Time, int64(0)
		for j := range p.group.Events {
			event := &p.group.Events[j]
			if len(e.places) > 1 && (!event.Kind.counted() || event.Reconstructed != Received || p.group.Defaulted != 0 && event.Channel != 0) {
				return true
			}
			observed := event.observed(now)
			ordered = ordered && observed >= latest
			latest, newest = max(latest, observed), max(newest, event.Time)
		}
		if e.grid.first(newest)-p.stream.next >= e.maxOpen || !ordered && e.mayEnd(p.stream, newest, latest) {
			return true
		}
	}
	return false
}

// mayEnd reports whether a window of the stream may end, or its watermark move by
// itself, before an event that is observed at latest, where newest is the latest event
// time.
func (e *Engine) mayEnd(st *stream, newest, latest int64) bool {
	if !st.live || latest-st.observed >= e.idle {
		return true
	}
	ends := e.grid.end(st.next) + e.lateness
	return latest >= ends && (max(newest, st.newest) >= ends || st.liveness.interval > 0)
}

// sorted gives the events of the batch in order of observation, those of one moment in
// order of time.
func (e *Engine) sorted(now int64) []reference {
	e.order = e.order[:0]
	for i := range e.places {
		events := e.places[i].group.Events
		for j := range events {
			e.order = append(e.order, reference{events[j].observed(now), events[j].Time, int32(i), int32(j)}) //nolint:gosec // a batch is smaller
		}
	}
	slices.SortStableFunc(e.order, func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.observed, b.observed), cmp.Compare(a.time, b.time))
	})
	return e.order
}

// observe counts an event, or applies it to its stream.
func (e *Engine) observe(p *place, event *Event, from *source, now int64) {
	observed := event.observed(now)
	if event.Kind == Reconciled {
		if p.series != nil {
			e.move(p.stream, observed) // windows that ended before it do not have it
			p.series.reconcile(event)
		}
		return
	}
	if !event.Kind.counted() {
		e.applyToStream(p.home, event, observed, now)
		if from != nil {
			e.applyToCarried(from, p.home, event, observed, now)
		}
		return
	}
	if event.Kind == Backpressure && from.counted() {
		return
	}
	if p.series == nil {
		e.admit(p)
	}
	st, own := p.stream, p.series
	if st.away && event.fromPlatform() {
		st.resume(observed)
	}
	if observed > st.observed {
		e.move(st, observed)
	}
	if own != nil && (own.retired || st.watermark-own.latest > e.seriesTTL && e.retireExpired(own)) {
		e.admit(p)
		st, own = p.stream, p.series
	}
	if p.group.Defaulted != 0 {
		if followed := e.followed(p, event, observed); followed != nil {
			st, own = followed.stream, followed
			st.dirty = true
		}
	}
	if !st.live && event.fromPlatform() && e.hold(st, p, event, observed, now) {
		return
	}
	t, future := e.arrive(st, event, observed, now)
	if own == nil {
		own = e.seriesOf(p.tags, st, t)
		p.series = own
	}
	switch {
	case future:
		e.stats.FutureEvents++
		own.countInTotals(event)
		own.countReconstructed(event)
	case event.Channel != 0 && e.applyToChannel(own, event, t):
		// The same event once more.
	default:
		own.count(event, e.grid, t, e.seriesIdle)
		own.countReconstructed(event)
	}
	if len(st.held) > 0 && st.live {
		e.release(st)
	}
}

// applyToStream applies a record about a stream. One that shows that it is received is
// applied before the windows that close by its time.
func (e *Engine) applyToStream(st *stream, event *Event, observed, now int64) {
	if event.Kind == Alive || event.Kind == Connected {
		st.resume(observed)
	}
	e.move(st, observed)
	st.apply(event, observed, now)
	st.dirty = true
}

// move closes the windows that were due before a moment of observation.
func (e *Engine) move(st *stream, observed int64) {
	if observed <= st.observed {
		return
	}
	// What a source that is catching up has read was not quiet: it was on its way.
	st.advanceIdle(st.delivered(observed), e.idle)
	e.advance(st)
}

// arrive moves the watermark for an event, and gives the event's time. An event too
// far ahead moves nothing; it counts at the stream's watermark.
func (e *Engine) arrive(st *stream, event *Event, observed, now int64) (t int64, future bool) {
	t = event.Time
	switch {
	case event.Reconstructed == Present: // by our clock
		t += st.clockOffset
		e.begin(st, min(t, observed), observed, now)
		return t, t > st.watermark+e.maxFuture
	case !event.fromPlatform():
		e.begin(st, min(t, observed), observed, now)
		return t, t > st.watermark+e.maxFuture
	case t > observed+e.maxFuture:
		e.begin(st, observed, observed, now)
		return st.watermark, true
	case !st.live:
		e.startEventTime(st, t, observed, now)
	}
	if st.replaying {
		e.leap(st, t, observed)
	}
	st.arrive(t, observed, now)
	if t >= e.grid.end(st.next+e.maxOpen) {
		e.bound(st, t)
	}
	return t, false
}

// begin gives a stream a watermark to start from, if it has none.
func (e *Engine) begin(st *stream, t, observed, now int64) {
	if !st.started {
		st.begin(t, observed, now)
		st.next = e.firstOpen(st)
	}
}

// bound ends windows, so that no more than maxOpen are open: else a batch that spans
// days, all of it observed in one moment, would hold a pane for every window of them.
func (e *Engine) bound(st *stream, t int64) {
	for limit := e.grid.first(t) - e.maxOpen; st.next < limit; {
		if e.quiescent(st) {
			st.next = limit
			return
		}
		e.emit(st)
	}
}

// followed gives the series of a channel that an event, which leaves dimensions to the
// configuration, belongs to: a channel keeps the series that it was opened in. It is
// nil where no series of the tenant has the channel, or the event's own series does.
func (e *Engine) followed(p *place, event *Event, observed int64) *series {
	if event.Channel == 0 || event.Kind == ConnectionOpen || event.Kind > MessageReceive {
		return nil
	}
	if p.series != nil && p.series.channels.find(event.Channel) != nil {
		return nil
	}
	var closed *series
	for _, st := range e.tenants[p.group.Tags.TenantID] {
		if p.group.Defaulted&Region == 0 && st.key.region != p.group.Tags.Region {
			continue
		}
		e.move(st, observed)
		for _, s := range st.series {
			if p.group.Defaulted&ChannelType == 0 && s.tags.ChannelType != p.group.Tags.ChannelType {
				continue
			}
			switch c := s.channels.find(event.Channel); {
			case c == nil:
			case !c.closed():
				return s
			default:
				closed = s
			}
		}
	}
	return closed
}
