// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// The Engine's state is saved in pieces, so that a million channels need not be
// written at once:
//
//   - a stream, with its series, their totals and open panes: whenever it changed;
//   - changes: the channels that came, went or were renewed since the last time;
//   - channels: a part of all channels, the next part every time. Together the
//     parts of one round make the changes from before the round needless.
//
// Which channels belong to which window is not saved: it follows from the
// channels (see lifecycle.go).

// change names a channel that is not as it was saved.
type change struct {
	series *series
	id     uint64
}

// SaveStreams gives the streams that changed since they were last saved, each
// under a number that it keeps. The generation can be read back (Generation), and
// tells of two pieces which is the newer.
func (e *Engine) SaveStreams(generation int64, save func(number int, piece []byte)) {
	for number, st := range e.numbered {
		if st.unsaved && e.streams[st.key] == st { // not one that stands in for a damaged one
			st.unsaved = false
			save(number, seal(e.putStream(putInt(newPiece(), generation), st)))
		}
	}
}

// Generation gives the generation of a stream's piece.
func Generation(piece []byte) (int64, error) {
	r, err := unseal(piece)
	if err != nil {
		return 0, err
	}
	return r.int(), nil
}

// SaveAgain takes everything for unsaved: what was given last did not reach the
// disk. Changes that are lost with it are in the next round.
func (e *Engine) SaveAgain() {
	for _, st := range e.numbered {
		st.unsaved = true
	}
	e.EndRound()
}

// SaveChanges gives the channels that changed since the last call, nil for none.
func (e *Engine) SaveChanges() []byte {
	if len(e.changes) == 0 {
		return nil
	}
	piece := newPiece()
	for _, changed := range e.changes {
		piece = putChannel(piece, changed.series, changed.id)
	}
	e.changes = e.changes[:0]
	return seal(piece)
}

// SaveChannels gives the next n channels of a round through all of them, and
// says whether that was the last of the round.
func (e *Engine) SaveChannels(n int) (piece []byte, last bool) {
	if e.round == nil {
		e.round, e.endRound = iter.Pull2(e.everyChannel)
	}
	piece = newPiece()
	for range n {
		s, id, ok := e.round()
		if !ok {
			e.EndRound()
			return seal(piece), true
		}
		piece = putChannel(piece, s, id)
	}
	return seal(piece), false
}

// EndRound gives up a round through the channels.
func (e *Engine) EndRound() {
	if e.round != nil {
		e.endRound()
		e.round, e.endRound = nil, nil
	}
}

// everyChannel goes over all channels. They may change while it stands still: one
// that comes meanwhile is among the changes.
func (e *Engine) everyChannel(yield func(*series, uint64) bool) {
	for i := 0; i < len(e.numbered); i++ { // their number may grow meanwhile
		for j := 0; j < len(e.numbered[i].series); j++ {
			if !eachOf(e.numbered[i].series[j], yield) {
				return
			}
		}
	}
}

// eachOf goes over the channels of a series. When their table grows meanwhile, it
// begins anew: a channel may come twice, and none is passed over.
func eachOf(s *series, yield func(*series, uint64) bool) bool {
	grown := s.channels.grown
	for i := 0; i < len(s.channels.slots); i++ {
		if id := s.channels.slots[i].id; id != 0 && !yield(s, id) {
			return false
		}
		if grown != s.channels.grown {
			grown, i = s.channels.grown, -1
		}
	}
	return true
}

// putChannel writes a channel as it is now, or that it is gone.
func putChannel(to []byte, s *series, id uint64) []byte {
	c := s.channels.find(id)
	to = putUint(to, uint64(s.stream.number))
	to = putUint(to, uint64(s.number))
	to = putUint(to, id)
	to = putBool(to, c != nil)
	if c != nil {
		to = putInt(to, c.from)
		to = putInt(to, c.seen)
	}
	return to
}

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
			c = channel{from: r.int(), seen: r.int()}
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

// maxWhole is how many full steps a window has at most (see the configuration of overlap).
const maxWhole = 100

func (e *Engine) seriesNumbered(stream, number int) *series {
	if stream >= len(e.numbered) || number >= len(e.numbered[stream].series) {
		return nil
	}
	return e.numbered[stream].series[number]
}

func (e *Engine) putStream(to []byte, st *stream) []byte {
	to = putInt(to, e.grid.size)
	to = putInt(to, e.grid.step)
	to = putString(to, st.key.tenant)
	to = putString(to, st.key.region)
	to = putBool(to, st.key.overflow)
	to = putInt(to, st.next)
	to = putBool(to, st.begun)
	to = putBool(to, st.live)
	to = putInt(to, st.watermark)
	to = putInt(to, st.newest)
	to = putInt(to, st.newestAt)
	to = putInt(to, st.downSince)
	to = putUint(to, uint64(len(st.down)))
	for _, socket := range slices.Sorted(maps.Keys(st.down)) {
		to = putUint(to, uint64(socket))
	}
	to = putUint(to, uint64(len(st.gaps)))
	for _, g := range st.gaps {
		to = putInt(to, g.start)
		to = putInt(to, g.end)
	}
	to = putFloat(to, st.skew)
	to = putBool(to, st.skewKnown)
	to = putInt(to, st.downMark)
	to = putInt(to, st.ahead)
	to = putInt(to, st.signs.every)
	to = putInt(to, st.signs.latest)
	to = putUint(to, uint64(len(st.series)))
	for _, s := range st.series {
		to = s.put(to)
	}
	return to
}

func (s *series) put(to []byte) []byte {
	to = putString(to, s.tags.ChannelType)
	to = putInt(to, s.latest)
	to = putInt(to, s.resumed)
	to = putInt(to, s.late)
	to = putInt(to, s.from)
	to = putInt(to, s.since)
	to = putBool(to, s.reported)
	to = putBool(to, s.unshown)
	to = putCounts(to, &s.totals)
	to = putUint(to, uint64(max(0, s.last+1-s.stream.next)))
	for k := s.stream.next; k <= s.last; k++ {
		panes := &s.at(k).panes
		to = putCounts(to, &panes[0])
		to = putCounts(to, &panes[1])
	}
	return to
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
	st.newestAt, st.downSince = r.int(), r.int()
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
	if err := st.check(saved); err != nil {
		return err
	}
	if saved != e.grid {
		e.regrid(st, saved)
	}
	return e.adopt(st)
}

func (st *stream) restoreSeries(r *reader, g grid) *series {
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
	for _, t := range []int64{g.size, st.watermark, st.newest, st.newestAt, st.downSince, st.downMark, st.ahead, st.signs.every, st.signs.latest} {
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
	for i, s := range st.series {
		moved := newSeries(s.tags, st, e.grid, st.watermark)
		moved.number, moved.latest, moved.resumed, moved.late = i, s.latest, s.resumed, s.late
		moved.from, moved.since, moved.reported = st.next, s.since, s.reported
		moved.totals, moved.unshown = s.totals, s.unshown
		st.series[i] = moved
	}
}

// adopt takes a restored stream in.
func (e *Engine) adopt(st *stream) error {
	if known, ok := e.streams[st.key]; ok && !st.key.overflow {
		return fmt.Errorf("is of tenant %q and region %q, as is number %d", st.key.tenant, st.key.region, known.number)
	}
	for len(e.numbered) <= st.number {
		e.numbered = append(e.numbered, &stream{number: len(e.numbered)})
	}
	e.numbered[st.number] = st
	e.streams[st.key] = st
	for _, s := range st.series {
		e.series[s.tags] = s
	}
	return nil
}

// Resume ends a restore. Nobody was there from savedAt on (unix ms), nor is, for all
// we know, until a stream's first event or connect. The streams go on where they
// stood.
func (e *Engine) Resume(savedAt, now int64) {
	for _, st := range e.numbered {
		st.arrived, st.mark = now, st.watermark
		st.away, st.awaySince = st.begun, savedAt
		for _, s := range st.series {
			e.recount(s)
		}
	}
}

// Continue ends a restore after which every event since savedAt (unix ms) comes
// again: nobody was away, and the streams go on as if nothing had happened.
func (e *Engine) Continue(savedAt int64) {
	for _, st := range e.numbered {
		st.arrived, st.mark = savedAt, st.watermark
		for _, s := range st.series {
			e.recount(s)
		}
	}
}

// recount finds out which windows the channels of a restored series belong to.
func (e *Engine) recount(s *series) {
	s.channels.each(func(id uint64, c channel) bool {
		past := c.closed() && e.grid.last(c.lastSeen()) < s.stream.next
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
