// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// A session's trace ID is a hash of its tenant, channel and start, so that it is the same
// after a restart, a failover or a redelivery. Its last 7 bytes, which OpenTelemetry's
// probability sampling takes for random, are those of all segments of a session: either
// all of them are sampled or none.

// traceOf returns the trace of a segment of a session of the series.
func traceOf(s *series, channel uint64, start int64, segment int) wsevent.SpanContext {
	return traceContext(s.tags.TenantID, channel, start, segment)
}

func traceContext(tenant string, channel uint64, start int64, segment int) (of wsevent.SpanContext) {
	var buffer [96]byte
	input := append(append(buffer[:0], tenant...), 0)
	input = binary.LittleEndian.AppendUint64(input, channel)
	input = binary.LittleEndian.AppendUint64(input, uint64(start)) //nolint:gosec // as bits
	random := xxhash.Sum64(input)
	input = binary.LittleEndian.AppendUint64(input, uint64(segment)) //nolint:gosec // not negative
	first := xxhash.Sum64(input)
	second := mix(first ^ random)

	binary.BigEndian.PutUint64(of.TraceID[8:], random)
	binary.BigEndian.PutUint64(of.TraceID[:8], first)
	of.TraceID[8] = byte(second)
	binary.BigEndian.PutUint64(of.SpanID[:], max(1, mix(second)))
	return of
}

// mix is the finalizer of SplitMix64: a bijection whose output bits depend on all input
// bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// randomness is that of a trace ID: 56 bits.
func randomness(id wsevent.TraceID) uint64 {
	return binary.BigEndian.Uint64(id[8:]) & (1<<56 - 1)
}

// rejected returns the rejection threshold of a sampling probability: a trace is sampled
// where its randomness is not below it. Nothing is with a probability of 0.
func rejected(ratio float64) uint64 {
	return uint64(math.Round((1 - min(1, max(0, ratio))) * (1 << 56)))
}

// traceState is the threshold as the tracestate of a sampled span.
func traceState(threshold uint64) string {
	text := strconv.FormatUint(1<<56|threshold, 16)[1:]
	if text = strings.TrimRight(text, "0"); text == "" {
		text = "0"
	}
	return "ot=th:" + text
}

// sample decides whether a session's trace is made, and notes its probability where that
// is known: not of one that is sampled as an exemplar.
func (e *Engine) sample(record *wsevent.Session, exemplar bool) bool {
	if randomness(record.TraceID) >= e.threshold {
		record.TraceState = e.traceState
		return true
	}
	return exemplar
}

// Traces gives the trace of each event of a batch that belongs to a session. The batch is
// not counted yet.
func (e *Engine) Traces(groups []Group, set func(group, event int, of wsevent.SpanContext)) {
	clear(e.starts)
	for i := range groups {
		group := &groups[i]
		s, tenant := e.traceSeries(group)
		for j := range group.Events {
			event := &group.Events[j]
			if event.Channel == 0 || event.Kind > MessageReceive {
				continue
			}
			start := e.startOf(s, group, event)
			segment := 0
			if e.segment > 0 && event.Time > start {
				segment = int((event.Time - start) / e.segment)
			}
			set(i, j, traceContext(tenant, event.Channel, start, segment))
		}
	}
}

// traceSeries returns the series that a group will be counted in, nil where it is new.
func (e *Engine) traceSeries(group *Group) (s *series, tenant string) {
	tags := countable(group.Tags)
	if s = e.series[tags]; s != nil {
		return s, s.tags.TenantID
	}
	limit := e.config.MaxSeriesPerTenant
	switch {
	case limit > 0 && e.usedBy[tags.TenantID].full(limit):
		s = e.series[overflowOf(tags.TenantID)]
	case e.used.full(e.config.MaxSeries):
		return e.series[overflow], ""
	}
	return s, tags.TenantID
}

// opening is a session of a batch that is not counted yet.
type opening struct {
	start, closed int64 // unix ms; closed: 0 while it is open
}

// startOf returns the start of the session that an event will belong to.
func (e *Engine) startOf(s *series, group *Group, event *Event) int64 {
	of, pending := e.starts[event.Channel]
	if !pending {
		of = e.openingOf(s, group, event)
	}
	t := event.Time
	switch {
	case of.start == 0, of.closed != 0 && t > of.closed && (event.Kind == ConnectionOpen || t-of.closed > e.grace):
		of = opening{start: t}
	case of.closed == 0 && t < of.start:
		of.start = t
	case event.Kind != ConnectionClose || of.closed != 0:
		return of.start
	}
	if event.Kind == ConnectionClose {
		of.closed = t
	}
	e.starts[event.Channel] = of
	return of.start
}

// openingOf returns the session that a channel has, the zero value for none.
func (e *Engine) openingOf(s *series, group *Group, event *Event) opening {
	if s != nil {
		if slot := s.channels.slot(event.Channel); slot >= 0 {
			return openingAt(s, slot)
		}
	}
	if group.Defaulted == 0 || event.Kind == ConnectionOpen {
		return opening{}
	}
	for _, st := range e.tenants[group.Tags.TenantID] {
		for _, other := range st.series {
			if slot := other.channels.slot(event.Channel); slot >= 0 {
				return openingAt(other, slot)
			}
		}
	}
	return opening{}
}

func openingAt(s *series, slot int) opening {
	c := s.channels.slots[slot].channel
	of := opening{start: c.openedAt()}
	if s.sessions != nil && s.channels.sessions != nil {
		if n := s.channels.sessions[slot].number(); n != 0 {
			of.start = s.sessions.start(n, c)
		}
	}
	if c.closed() {
		of.closed = c.lastEventAt()
	}
	return of
}
