// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"math"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// RestoreChannels reads what SaveChanges or SaveChannels gave. The pieces must
// come in the order in which they were saved, all streams before them.
func (e *Engine) RestoreChannels(piece []byte) error {
	r, err := unseal(piece)
	if err != nil {
		return err
	}
	for len(r.rest) > 0 {
		stream, number, id := r.index(), r.index(), r.uint()
		known := r.bool()
		var c channel
		if known {
			c = r.channel()
		}
		if r.failed || id == 0 {
			break
		}
		s := e.seriesNumbered(stream, number)
		switch {
		case s == nil: // its stream could not be restored
		case known && (c.lastSeen() < c.firstSeen() || c.lastSeen() > s.stream.newest+day):
			return fmt.Errorf("has a channel that was seen at %d ms, its stream has come to %d ms", c.lastSeen(), s.stream.newest)
		case known:
			s.channels.put(id, c)
		default:
			s.channels.remove(id, func(uint64) {})
		}
	}
	return r.err()
}

// channel reads one. Before versionObserved only a close was noted of its latest sign.
func (r *reader) channel() channel {
	c := channel{from: r.int(), seen: r.int()}
	if r.version < versionObserved {
		c.seen = c.seen>>1<<2 | c.seen&wasClose
	}
	return c
}

// maxWhole is how many full steps a window has at most (see the configuration of overlap).
const maxWhole = 100

func (e *Engine) seriesNumbered(stream, number int) *series {
	if stream >= len(e.numbered) || number >= len(e.numbered[stream].series) {
		return nil
	}
	return e.numbered[stream].series[number]
}

// RestoreStream reads what SaveStreams gave for a number. It is for an Engine
// that has observed nothing yet.
func (e *Engine) RestoreStream(number int, piece []byte) error {
	r, err := unseal(piece)
	if err != nil {
		return err
	}
	_, size, step := r.int(), r.int(), r.int()
	st := &stream{number: number, key: streamKey{tenant: r.string(), region: r.string(), overflow: r.bool()}}
	st.next, st.begun, st.live = r.int(), r.bool(), r.bool()
	st.watermark, st.newest = r.int(), r.int()
	st.ahead, st.downSince = st.newest-r.int(), r.int()
	for range r.length() {
		if st.down == nil {
			st.down = map[uint16]struct{}{}
		}
		st.down[uint16(r.uint())] = struct{}{} //nolint:gosec // it was one when it was written
	}
	for range r.length() {
		st.gaps = append(st.gaps, gap{start: r.int(), end: r.int()})
	}
	st.skew, st.skewKnown = r.float(), r.bool()
	if r.version >= versionSigns {
		st.downMark, st.ahead = r.int(), r.int()
		st.signs = signs{every: r.int(), latest: r.int()}
	}
	if r.version >= versionObserved {
		e.restoreObserved(st, r)
	} else {
		st.observed, st.arrived, st.mark = st.newest-st.ahead, st.newest-st.ahead, st.watermark
	}
	if size < 1 || step < 1 || step > size {
		return fmt.Errorf("has windows of %d ms every %d ms", size, step)
	}
	saved := newGrid(size, size-step)
	if saved.whole > maxWhole {
		return fmt.Errorf("has windows of %d ms every %d ms", size, step)
	}
	for range r.length() {
		st.series = append(st.series, st.restoreSeries(r, saved))
	}
	if err := r.err(); err != nil {
		return err
	}
	for _, s := range st.series {
		if countable(s.tags) != s.tags {
			return fmt.Errorf("has a dimension of more than %d bytes", maxDimension)
		}
	}
	if err := st.check(saved); err != nil {
		return err
	}
	if saved != e.grid {
		e.regrid(st, saved)
	}
	return e.adopt(st)
}

// restoreObserved reads what came with versionObserved.
func (e *Engine) restoreObserved(st *stream, r *reader) {
	st.observed, st.arrived, st.mark, st.lag = r.int(), r.int(), r.int(), r.int()
	st.skewAt, st.connectedAt = r.int(), r.int()
	st.ended, st.away, st.awayInPast, st.awaySince = r.bool(), r.bool(), r.bool(), r.int()
	st.replaying, st.replayed = r.bool(), r.index()
	for range r.length() {
		if from := e.sourceOf(r.string(), math.MaxInt64); from != nil && len(st.sources) < maxSources {
			st.feed(from)
		}
	}
}

func (st *stream) restoreSeries(r *reader, g grid) *series {
	retired := r.version >= versionRetired && r.bool()
	if retired {
		s := newSeries(st.tags(), st, g, 0)
		s.number, s.retired = len(st.series), true
		return s
	}
	tags := wsevent.Tags{TenantID: st.key.tenant, Region: st.key.region, ChannelType: r.string(), Overflow: st.key.overflow}
	s := newSeries(tags, st, g, 0)
	s.number = len(st.series)
	s.latest, s.resumed, s.late = r.int(), r.int(), r.int()
	s.from, s.since, s.reported, s.unshown = r.int(), r.int(), r.bool(), r.bool()
	s.totals = r.counts()
	for k := range int64(r.length()) {
		s.slot(st.next + k).panes = [2]wsevent.Counts{r.counts(), r.counts()}
	}
	return s
}

// day is more than times that belong together are ever apart, in ms.
const day = 86_400_000

// check refuses what the Engine could never have written, and would take years to
// go on from.
func (st *stream) check(g grid) error {
	const ages = 1 << 53 // ms
	for _, t := range []int64{g.size, st.watermark, st.newest, st.downSince, st.downMark, st.ahead, st.observed, st.arrived, st.mark, st.skewAt, st.connectedAt, st.awaySince, st.signs.every, st.signs.latest} {
		if t < -ages || t > ages {
			return fmt.Errorf("has a time out of range: %d ms", t)
		}
	}
	if st.next < -ages/g.step || st.next > ages/g.step ||
		st.begun && (st.watermark-g.end(st.next) > day || st.newest-st.watermark > day) {
		return fmt.Errorf("has its next window, %d, far from its watermark, %d ms", st.next, st.watermark)
	}
	return nil
}

// regrid moves a stream that was saved with another size or overlap. What was
// counted in its open panes stays in the totals alone.
func (e *Engine) regrid(st *stream, saved grid) {
	for _, s := range st.series {
		s.foldPanes(saved)
	}
	st.next = e.firstOpen(st)
	st.addGap(math.MinInt64, st.newest+1) // what is in no window of this grid
	for i, s := range st.series {
		moved := newSeries(s.tags, st, e.grid, st.watermark)
		moved.number, moved.latest, moved.resumed, moved.late = i, s.latest, s.resumed, s.late
		moved.from, moved.since, moved.reported = st.next, s.since, s.reported
		moved.totals, moved.unshown, moved.retired = s.totals, s.unshown, s.retired
		st.series[i] = moved
	}
}

// adopt takes a restored stream in.
func (e *Engine) adopt(st *stream) error {
	if known, ok := e.streams[st.key]; ok && st.key != (streamKey{overflow: true}) {
		return fmt.Errorf("is of tenant %q and region %q, as is number %d", st.key.tenant, st.key.region, known.number)
	}
	for len(e.numbered) <= st.number {
		e.numbered = append(e.numbered, &stream{number: len(e.numbered)})
	}
	if st.key == (streamKey{}) { // see vacate
		e.leaveVacant(st.number)
		return nil
	}
	e.numbered[st.number] = st
	e.streams[st.key] = st
	e.tenants[st.key.tenant] = append(e.tenants[st.key.tenant], st)
	if !st.key.overflow {
		e.use(st.key.tenant, 1, 0)
	}
	for _, s := range st.series {
		if s.retired {
			continue
		}
		e.series[s.tags] = s
		if !s.tags.Overflow {
			e.use(s.tags.TenantID, 0, 1)
		}
	}
	return nil
}

// Resume ends a restore. Nobody was there from savedAt on (unix ms), nor is, for all
// we know, until a stream's first event or connect. The streams go on where they
// stood.
func (e *Engine) Resume(savedAt, now int64) {
	for _, st := range e.numbered {
		st.arrived = now
		if !st.away { // since an earlier restart, with nothing in between
			st.away, st.awaySince, st.awayInPast = st.begun, savedAt, st.begun && st.lag > lookBack
		}
		st.unsaved = true
		st.ended = len(st.down) > 0 // whoever was down then, another one reads now
		for _, s := range st.series {
			e.recount(s)
		}
	}
}

// Continue ends a restore after which every event since savedAt (unix ms) comes
// again: nobody was away, and the streams go on as if nothing had happened.
func (e *Engine) Continue(savedAt int64) {
	for _, st := range e.numbered {
		if st.arrived > savedAt || st.observed > savedAt { // of a version that did not know
			st.observed, st.arrived = savedAt, savedAt
		}
		for _, s := range st.series {
			e.recount(s)
		}
	}
}

// recount finds out which windows the channels of a restored series belong to.
func (e *Engine) recount(s *series) {
	s.channels.each(func(id uint64, c channel) bool {
		past := c.closed() && e.grid.last(c.lastSeen()+e.grace) < s.stream.next
		if past {
			s.channels.remove(id, func(uint64) {})
		}
		return past
	})
	s.channels.each(func(id uint64, c channel) bool {
		e.channels++
		e.shift(s, e.grid.first(c.firstSeen()), 1)
		if c.closed() {
			e.leave(s, id, c.lastSeen())
		}
		return false
	})
}
