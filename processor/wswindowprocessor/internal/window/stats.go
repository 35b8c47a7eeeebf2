// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"slices"
)

// Stats are the Engine's own numbers; the first group only grows.
type Stats struct {
	Windows         int64 // emitted
	SkippedWindows  int64 // zeros that were not, because event time leapt too far
	LateEvents      int64 // missed a window because it was emitted
	FutureEvents    int64 // too far ahead for any window
	ExpiredChannels int64 // closed by channel_ttl
	RefusedChannels int64 // not followed because of max_channels
	RetiredSeries   int64 // by series_ttl
	Sessions        int64 `json:",omitzero"` // that have ended, with a record

	UnrecordedSessions int64 `json:",omitzero"` // events of channels whose session is not followed: too many in a series

	Channels int
	Series   int // without overflow sets
}

// Add adds the numbers of another Engine.
func (s *Stats) Add(other Stats) {
	s.AddPast(other)
	s.Channels += other.Channels
	s.Series += other.Series
}

// AddPast adds the numbers of an Engine that is no more: those that only grow.
func (s *Stats) AddPast(other Stats) {
	s.Windows += other.Windows
	s.SkippedWindows += other.SkippedWindows
	s.LateEvents += other.LateEvents
	s.FutureEvents += other.FutureEvents
	s.ExpiredChannels += other.ExpiredChannels
	s.RefusedChannels += other.RefusedChannels
	s.RetiredSeries += other.RetiredSeries
	s.Sessions += other.Sessions
	s.UnrecordedSessions += other.UnrecordedSessions
}

// Stats gives the Engine's own numbers.
func (e *Engine) Stats() Stats {
	stats := e.stats
	stats.Channels = e.channels
	stats.Series = e.used.series
	return stats
}

// Lag is how far a stream's time is behind the wall clock.
type Lag struct {
	TenantID, Region string
	Overflow         bool
	Milliseconds     int64
}

// Lags gives the streams that are farthest behind, at most n of them. A lag
// beyond the seconds that events take is a slow platform clock, a replay, or a
// consumer that does not keep up.
func (e *Engine) Lags(now int64, n int) []Lag {
	lags := make([]Lag, 0, len(e.numbered))
	for _, st := range e.numbered {
		if st.started {
			lags = append(lags, Lag{st.key.tenant, st.key.region, st.key.overflow, now - st.effectiveWatermark(e.ttl)})
		}
	}
	slices.SortFunc(lags, Farther)
	return lags[:min(len(lags), n)]
}

// Farther sorts lags, the longest first.
func Farther(a, b Lag) int { return cmp.Compare(b.Milliseconds, a.Milliseconds) }
