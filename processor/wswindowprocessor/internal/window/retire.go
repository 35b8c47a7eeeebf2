// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"
	"slices"
)

// A series without open channels or events for series_ttl, by its stream's time, is
// retired: its totals end, and what it has in use of the limits is free. Whether it is
// depends on its events and their times of observation alone. It is evaluated at its
// next event, so that this one starts new totals whenever the sweep below would have
// run.
//
// Saved channels name their stream and series by number. So a retired series leaves an
// empty one in its place, and a stream an unused number, until another one takes it.

// retireSweeps is how often series are scanned in the course of series_ttl.
const retireSweeps = 64

// expired reports whether a series has been without open channels and events for
// series_ttl.
func (e *Engine) expired(s *series) bool {
	return s.stream.watermark-s.latest > e.seriesTTL && !s.retired &&
		s.active == 0 && s.channels.used == 0 && s.last < s.stream.next && !s.unreported()
}

// retireExpired retires a series if it is expired. It reports whether the series is no
// longer one to count in.
func (e *Engine) retireExpired(s *series) bool {
	if e.expired(s) {
		e.retire(s)
	}
	return s.retired
}

func (e *Engine) retire(s *series) {
	delete(e.series, s.tags)
	if !s.tags.Overflow {
		e.use(s.tags.TenantID, 0, -1)
	}
	s.retired = true
	empty := newSeries(s.tags, s.stream, e.grid, s.latest)
	empty.number, empty.retired = s.number, true
	s.stream.series[s.number] = empty
	s.stream.dirty = true
	e.stats.RetiredSeries++
}

// sweepSeries retires what is expired, now and then.
func (e *Engine) sweepSeries(now int64) {
	if e.config.SeriesTTL == 0 || now-e.sweptAt < e.seriesTTL/retireSweeps {
		return
	}
	e.sweptAt = now
	for _, st := range e.numbered {
		used := false
		for _, s := range st.series {
			used = !e.retireExpired(s) || used
		}
		if !used && now-st.latestActivity() > e.seriesTTL {
			e.vacate(st)
		}
	}
}

// latestActivity is the time of the latest event or record of a stream, by our clock or the
// receiver's.
func (s *stream) latestActivity() int64 {
	latest := max(s.newest, s.observed, s.arrived, s.liveness.latest, s.skewAt, s.connectedAt, s.downSince)
	for _, g := range s.gaps {
		latest = max(latest, g.end)
	}
	if len(s.held) > 0 {
		return math.MaxInt64
	}
	return latest
}

// vacate forgets a stream that has no series. Its number is free.
func (e *Engine) vacate(st *stream) {
	if st.key == (streamKey{overflow: true}) || e.streams[st.key] != st {
		return // the one for all, or a placeholder of a damaged one
	}
	delete(e.streams, st.key)
	of := slices.DeleteFunc(e.tenants[st.key.tenant], func(other *stream) bool { return other == st })
	if e.tenants[st.key.tenant] = of; len(of) == 0 {
		delete(e.tenants, st.key.tenant)
	}
	if !st.key.overflow {
		e.use(st.key.tenant, -1, 0)
	}
	e.leaveVacant(st.number)
}

// leaveVacant notes that a number is free. That is saved, or else the stream would be
// back after a restart.
func (e *Engine) leaveVacant(number int) {
	e.numbered[number] = &stream{number: number, vacant: true, dirty: true}
	e.vacant = append(e.vacant, number)
}
