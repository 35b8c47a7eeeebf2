// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Sessions are saved with their channels, in a field of their own that an older version
// skips. Unlike a channel, a session is saved whenever it has changed: its counts must be
// those of the position in a partition that they are saved with.

// chunk is a part of the channels.
type chunk struct {
	channels, sessions []byte
}

func (r *chunk) put(s *series, id uint64) {
	r.channels = putChannel(r.channels, s, id)
	r.sessions = putSession(r.sessions, s, id)
}

func (r *chunk) encode() []byte {
	m := newMessage()
	m.bytes(fieldChannels, &r.channels)
	m.bytes(fieldSessions, &r.sessions)
	return m.encode()
}

// putSession appends the session of a channel, if it has one: its stream and series by
// number, its hash, its counts, and its details as a message.
func putSession(to []byte, s *series, id uint64) []byte {
	if s.sessions == nil || s.channels.sessions == nil {
		return to
	}
	slot := s.channels.slot(id)
	if slot < 0 {
		return to
	}
	n := s.channels.sessions[slot].number()
	if n == 0 {
		return to
	}
	one := s.sessions.at(n)
	to = binary.AppendUvarint(to, uint64(s.stream.number))
	to = binary.AppendUvarint(to, uint64(s.number))
	to = binary.AppendUvarint(to, id)
	for _, counted := range [...]uint64{uint64(one.sent), uint64(one.received), uint64(one.receive), uint64(one.reply), one.bits &^ sessionChanged} {
		to = binary.AppendUvarint(to, counted)
	}
	m := &message{}
	if d := s.sessions.detailsOf(n); d != nil {
		d.fields(m)
	}
	if rec := s.sessions.recordingOf(n); rec != nil {
		m.one(fieldRecording, rec.fields)
	}
	to = binary.AppendUvarint(to, uint64(len(m.out)))
	return append(to, m.out...)
}

// savedSessions marks the sessions of changes as saved.
func (e *Engine) savedSessions() {
	if !e.config.Sessions.Enabled {
		return
	}
	for _, changed := range e.changes {
		s := changed.series
		if s.sessions == nil || s.channels.sessions == nil {
			continue
		}
		if slot := s.channels.slot(changed.id); slot >= 0 {
			if n := s.channels.sessions[slot].number(); n != 0 {
				s.sessions.at(n).unset(sessionChanged)
			}
		}
	}
}

// restoreSessions restores the sessions of a chunk, after its channels.
func (e *Engine) restoreSessions(r *reader) error {
	for len(r.rest) > 0 {
		stream, number, id := r.index(), r.index(), r.uint()
		one := session{sent: r.uint32(), received: r.uint32(), receive: r.uint32(), reply: r.uint32(), bits: r.uint()}
		length := r.length()
		if r.failed {
			break
		}
		content := r.rest[:length]
		r.rest = r.rest[length:]
		s := e.seriesNumbered(stream, number)
		if s == nil || !e.config.Sessions.Enabled {
			continue
		}
		slot := s.channels.slot(id)
		if slot < 0 {
			continue
		}
		m, err := readMessage(content)
		if err != nil {
			return err
		}
		n := s.sessionAt(slot, false)
		if n == 0 {
			continue
		}
		s.sessions.clear(n)
		detailed := one.is(sessionDetails)
		one.unset(sessionDetails)
		*s.sessions.at(n) = one
		if detailed {
			d := s.sessions.needDetails(n)
			if d.fields(m); m.err != nil {
				return m.err
			}
			if !s.stream.plausible(d) {
				return errMalformed
			}
		}
		if most := e.config.Sessions.RecorderEvents; most > 0 && m.find(fieldRecording, protowire.BytesType).bytes != nil {
			rec := s.sessions.needRecording(n)
			m.one(fieldRecording, rec.fields)
			rec.keep(most)
		}
	}
	return r.err()
}

// plausible reports whether times of saved details are those of the stream.
func (s *stream) plausible(d *details) bool {
	latest := s.newest + day
	return d.start <= latest && d.end <= latest && d.segment <= maxSegment
}

// maxSegment is more segments than a session can have.
const maxSegment = 1 << 24

func (r *reader) uint32() uint32 {
	n := r.uint()
	if n > math.MaxUint32 {
		r.failed, r.rest = true, nil
		return 0
	}
	return uint32(n)
}

// resumeSessions completes the sessions of a restored series: those that were dropped and
// are not decided are candidates again.
func (e *Engine) resumeSessions(s *series) {
	if s.sessions == nil {
		return
	}
	sessionsOf(s)
	undecided := e.grid.start(s.stream.next)
	for slot := range s.channels.slots {
		n := s.channels.sessions[slot].number()
		if n == 0 {
			continue
		}
		if d := s.sessions.detailsOf(n); d != nil && d.outcome == wsevent.OutcomeDropped && d.nominee >= undecided {
			id, start := s.channels.slots[slot].id, s.sessions.start(n, s.channels.slots[slot].channel)
			s.nominate(e, id, s.sessions.at(n), d, traceOf(s, id, start, d.segment), start)
		}
	}
	s.sessions.ended = slices.DeleteFunc(s.sessions.ended, func(of endedSession) bool { return !s.stream.plausible(of.details) })
	for i := range s.sessions.ended {
		if of := &s.sessions.ended[i]; of.details.outcome == wsevent.OutcomeDropped && of.details.nominee >= undecided {
			s.nominate(e, of.id, &of.counts, of.details, traceOf(s, of.id, of.start, of.details.segment), of.start)
		}
	}
}

// fieldRecording is of a session's details.
const fieldRecording = 8

func (i *identity) fields(m *message) {
	m.string(1, &i.channelID)
	m.string(2, &i.userID)
	m.uint(3, &i.user)
}

func (r *recording) fields(m *message) {
	r.identity.fields(m)
	var events []byte
	if !m.reading {
		for _, event := range r.events {
			events = binary.AppendVarint(events, int64(event))
		}
	}
	m.bytes(4, &events)
	if m.reading {
		for in := (&reader{rest: events}); len(in.rest) > 0; {
			r.events = append(r.events, recordedEvent(in.int()))
		}
	}
}

// keep keeps the latest events, with room for most.
func (r *recording) keep(most int) {
	latest := r.events[max(0, len(r.events)-most):]
	r.events = append(make([]recordedEvent, 0, most), latest...)
}

func (d *details) fields(m *message) {
	d.identity.fields(m)
	m.int(4, &d.start)
	m.bool(5, &d.opened)
	m.number(6, &d.segment)
	m.each(7, len(d.earlier), func(i int, m *message) {
		if m.reading {
			d.earlier = append(d.earlier, 0)
		}
		m.number(1, &d.earlier[i])
	})
	m.spanContext(9, &d.origin)
	m.string(10, &d.outcome)
	m.int(11, &d.end)
	m.int(12, &d.code)
	m.string(13, &d.reason)
	m.int(14, &d.nominee)
	m.bool(15, &d.sampled)
	m.bool(16, &d.hasCode)
	d.hasCode = d.hasCode || d.code != 0 // states of before have the code alone
	if m.reading && d.outcome != "" && d.outcome != wsevent.OutcomeClosed && d.outcome != wsevent.OutcomeDropped {
		m.err = errMalformed
	}
}

// fields are those of a series, besides the sessions of its channels.
func (s *sessions) fields(m *message) {
	m.each(1, outcomes, func(i int, m *message) {
		if i < outcomes { // a later version may have more
			m.histogram(1, &s.totals[i].duration)
			m.histogram(2, &s.totals[i].firstReply)
		}
	})
	m.int(5, &s.since)
	m.exemplars(2, &s.exemplars)
	m.exemplars(3, &s.overlap)
	m.each(4, len(s.ended), func(i int, m *message) {
		if m.reading {
			s.ended = append(s.ended, endedSession{details: &details{}})
		}
		of := &s.ended[i]
		m.uint(1, &of.id)
		m.int(2, &of.start)
		m.bool(3, &of.opened)
		for field, n := range []*uint32{&of.counts.sent, &of.counts.received, &of.counts.receive, &of.counts.reply} {
			bits := uint64(*n)
			m.uint(protowire.Number(4+field), &bits)
			*n = uint32(min(bits, math.MaxUint32)) //nolint:gosec // it fits
		}
		m.uint(8, &of.counts.bits)
		m.one(9, of.details.fields)
		switch {
		case !m.reading && of.rec != nil:
			m.one(10, of.rec.fields)
		case m.reading && m.find(10, protowire.BytesType).bytes != nil:
			of.rec = &recording{}
			m.one(10, of.rec.fields)
		}
		if m.reading && of.details.outcome == "" {
			of.details.outcome = wsevent.OutcomeClosed
		}
	})
}

// droppedFields are the sessions whose reconnect is waited for.
func (e *Engine) droppedFields(m *message, st *stream) {
	users := make([]uint64, 0, len(st.dropped))
	for user := range st.dropped {
		users = append(users, user)
	}
	m.each(36, len(users), func(i int, m *message) {
		var user uint64
		var drop recentDrop
		if !m.reading {
			user, drop = users[i], st.dropped[users[i]]
		}
		m.uint(1, &user)
		m.int(2, &drop.at)
		m.spanContext(3, &drop.trace)
		if m.reading && e.config.Sessions.Enabled {
			e.rememberDrop(st, user, drop.trace, drop.at)
		}
	})
}

func (m *message) number(number protowire.Number, v *int) {
	n := int64(*v)
	m.count(number, &n)
	*v = int(min(n, math.MaxInt32))
}

// spanContext is the 16 bytes of a trace ID and the 8 of a span ID.
func (m *message) spanContext(number protowire.Number, v *wsevent.SpanContext) {
	var content []byte
	if !m.reading && *v != (wsevent.SpanContext{}) {
		content = append(append(content, v.TraceID[:]...), v.SpanID[:]...)
	}
	m.bytes(number, &content)
	if m.reading && len(content) == len(v.TraceID)+len(v.SpanID) {
		copy(v.TraceID[:], content)
		copy(v.SpanID[:], content[len(v.TraceID):])
	}
}

func (m *message) exemplars(number protowire.Number, all *[]wsevent.Exemplar) {
	m.each(number, len(*all), func(i int, m *message) {
		if m.reading {
			*all = append(*all, wsevent.Exemplar{})
		}
		one := &(*all)[i]
		m.spanContext(1, &one.SpanContext)
		m.int(2, (*int64)(&one.Time))
		m.string(3, &one.Outcome)
		m.int(4, (*int64)(&one.Duration))
		m.int(5, (*int64)(&one.FirstReply))
		m.bool(6, &one.Replied)
	})
}

// maxBuckets is more than a histogram has: see maxHistogramTime.
const maxBuckets = 512

func (m *message) histogram(number protowire.Number, h *wsevent.Histogram) {
	m.one(number, func(m *message) {
		m.uint(1, &h.Count)
		m.uint(2, &h.Zero)
		m.count(3, &h.Sum)
		first := int64(h.First)
		m.int(4, &first)
		var buckets []byte
		if !m.reading {
			for _, n := range h.Buckets {
				buckets = binary.AppendUvarint(buckets, n)
			}
		}
		m.bytes(5, &buckets)
		if !m.reading {
			return
		}
		h.First = int32(max(-maxBuckets, min(first, maxBuckets))) //nolint:gosec // it fits
		r := reader{rest: buckets}
		for len(r.rest) > 0 && len(h.Buckets) <= maxBuckets {
			h.Buckets = append(h.Buckets, r.uint())
		}
		if r.failed || len(h.Buckets) > maxBuckets || int64(h.First) != first {
			m.err = errMalformed
		}
	})
}
