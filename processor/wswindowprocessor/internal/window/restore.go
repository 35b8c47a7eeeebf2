// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"math"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// RestoreChannels restores a chunk of SaveChanges or SaveChannels. Chunks are restored in
// the order in which they were saved, after all streams.
func (e *Engine) RestoreChannels(value []byte) error {
	version, content, err := envelope.Decode(value, OldestVersion, Version)
	if err != nil {
		return err
	}
	var sessions []byte
	if version >= versionNumbered {
		m, err := readMessage(content)
		if err != nil {
			return err
		}
		m.bytes(fieldChannels, &content)
		m.bytes(fieldSessions, &sessions)
	}
	r := &reader{version: version, rest: content}
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
		case known && (c.lastEventAt() < c.openedAt() || c.lastEventAt() > s.stream.newest+day):
			return fmt.Errorf("has a channel that was seen at %d ms, its stream has come to %d ms", c.lastEventAt(), s.stream.newest)
		case known:
			s.channels.put(id, c)
		default:
			forgetSession(s, id)
			s.channels.remove(id, func(uint64) {})
		}
	}
	if err := r.err(); err != nil {
		return err
	}
	return e.restoreSessions(&reader{version: version, rest: sessions})
}

// maxSteps is the maximum number of full steps in a window (see the configuration of overlap).
const maxSteps = 100

func (e *Engine) seriesNumbered(stream, number int) *series {
	if stream >= len(e.numbered) || number >= len(e.numbered[stream].series) {
		return nil
	}
	return e.numbered[stream].series[number]
}

// Generation returns the generation of an encoded stream.
func Generation(value []byte) (int64, error) {
	version, content, err := envelope.Decode(value, OldestVersion, Version)
	if err != nil {
		return 0, err
	}
	if version < versionNumbered {
		r := reader{version: version, rest: content}
		return r.int(), nil
	}
	m, err := readMessage(content)
	if err != nil {
		return 0, err
	}
	var generation int64
	m.int(fieldGeneration, &generation)
	return generation, nil
}

// RestoreStream restores a stream that SaveStreams saved under a number. The Engine must
// not have observed anything.
func (e *Engine) RestoreStream(number int, value []byte) error {
	version, content, err := envelope.Decode(value, OldestVersion, Version)
	if err != nil {
		return err
	}
	st, decode := &stream{number: number}, e.decodeStream
	if version < versionNumbered {
		decode = func(st *stream, content []byte) (grid, error) {
			return e.decodeLegacyStream(st, &reader{version: version, rest: content})
		}
	}
	saved, err := decode(st, content)
	if err != nil {
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
	st.restoredAsCounted()
	return e.adopt(st)
}

func (e *Engine) decodeStream(st *stream, content []byte) (saved grid, err error) {
	m, err := readMessage(content)
	if err != nil {
		return saved, err
	}
	var size, step int64
	m.int(fieldSize, &size)
	m.int(fieldStep, &step)
	if saved, err = savedGrid(size, step); err != nil {
		return saved, err
	}
	st.fields(m)
	e.sourceFields(m, st)
	e.droppedFields(m, st)
	m.each(fieldSeries, 0, func(i int, m *message) {
		s := newSeries(st.tags(), st, saved, 0)
		s.number = i
		st.series = append(st.series, s)
		s.fields(m)
		if !e.config.Sessions.Enabled {
			s.sessions = nil
		}
	})
	return saved, m.err
}

func savedGrid(size, step int64) (grid, error) {
	if size < 1 || step < 1 || step > size {
		return grid{}, fmt.Errorf("has windows of %d ms every %d ms", size, step)
	}
	saved := newGrid(size, size-step)
	if saved.steps > maxSteps {
		return grid{}, fmt.Errorf("has windows of %d ms every %d ms", size, step)
	}
	return saved, nil
}

// day is more than times that belong together are ever apart, in ms.
const day = 86_400_000

// check refuses what the Engine could never have written, and would take years to
// go on from.
func (st *stream) check(g grid) error {
	const ages = 1 << 53 // ms
	for _, t := range []int64{g.size, st.watermark, st.newest, st.downSince, st.watermarkAtDown, st.clockOffset, st.observed, st.arrived, st.watermarkAtArrival, st.skewAt, st.connectedAt, st.awaySince, st.liveness.interval, st.liveness.latest} {
		if t < -ages || t > ages {
			return fmt.Errorf("has a time out of range: %d ms", t)
		}
	}
	if st.next < -ages/g.step || st.next > ages/g.step ||
		st.started && (st.watermark-g.end(st.next) > day || st.newest-st.watermark > day) {
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
		moved.totals, moved.pendingTotals, moved.retired = s.totals, s.pendingTotals, s.retired
		moved.sessions = s.sessions
		moved.reconstructed = s.reconstructed
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

// Resume ends a restore. Nothing was received from savedAt on (unix ms), nor is
// until a stream's first event or connect. The streams resume from their saved
// watermark.
func (e *Engine) Resume(savedAt, now int64) {
	for _, st := range e.numbered {
		st.arrived = now
		if !st.away { // since an earlier restart, with nothing in between
			st.away, st.awaySince, st.awayInPast = st.started, savedAt, st.started && st.lag > lookBack
		}
		st.dirty = true
		st.ended = len(st.down) > 0 // the connection that was down is replaced by another one
		for _, s := range st.series {
			e.recount(s)
		}
	}
}

// Continue ends a restore after which every event since savedAt (unix ms) comes
// again: nothing is missing, and the streams continue as if without a restart.
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

// recount computes which windows the channels of a restored series belong to.
func (e *Engine) recount(s *series) {
	s.channels.each(func(id uint64, c channel) bool {
		past := c.closed() && e.grid.last(c.lastEventAt()+e.grace) < s.stream.next
		if past {
			if e.config.Sessions.Enabled {
				e.endSession(s, id, false)
			}
			s.channels.remove(id, func(uint64) {})
		}
		return past
	})
	s.channels.each(func(id uint64, c channel) bool {
		e.channels++
		e.adjustActive(s, e.grid.first(c.openedAt()), 1)
		if c.closed() {
			e.scheduleRemoval(s, id, c.lastEventAt())
		}
		return false
	})
	e.resumeSessions(s)
}
