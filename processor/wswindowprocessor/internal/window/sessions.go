// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// A session is what happens on a channel from its open to its close. Windows count
// channels; a session is the record of one of them. It ends with its channel: once no echo
// of the close can arrive, or when the channel expires. A channel that is opened again has
// a new session.

// SessionConfig configures the sessions of an Engine.
type SessionConfig struct {
	Enabled            bool
	RecorderEvents     int           // that a session remembers
	Segment            time.Duration // after which an open session is reported
	ReconnectWithin    time.Duration // after a drop
	ExemplarsPerWindow int
	SampleRatio        float64 // of sessions that are no exemplars
}

// Detail is what sessions need of an event beyond the rest of Event.
type Detail struct {
	ChannelID   string
	User        uint64 // hash of the user's ID; 0 for none
	UserID      string // as it is reported
	CloseCode   int64
	HasCode     bool // CloseCode was sent; 0 is one, too
	CloseReason string
}

// identity is whose session it is.
type identity struct {
	channelID, userID string
	user              uint64
}

// details are what is known of few sessions only: those that have closed, that were
// connected again, or that have segments.
type details struct {
	identity

	start   int64               // of the session, where its channel was opened again; 0: that of the channel
	opened  bool                // start is by an open
	segment int                 // the one that is open
	earlier []int               // segments that were reported
	origin  wsevent.SpanContext // of the session that was dropped before

	outcome string // "" while open
	end     int64
	code    int64
	hasCode bool // 0 is a code, too
	reason  string
	nominee int64 // unix ms: start of the window whose end decides whether it is an exemplar
	sampled bool  // it is one
}

// recording is the latest events of a session, and whose it is.
type recording struct {
	identity
	events []recordedEvent
}

// recordedEvent is an event's time, unix ms, times sixteen; plus its kind.
type recordedEvent int64

func packEvent(t int64, kind Kind) recordedEvent { return recordedEvent(t<<4 | int64(kind)) }
func (r recordedEvent) at() int64                { return int64(r) >> 4 }
func (r recordedEvent) kind() Kind               { return Kind(r & 15) } //nolint:gosec // it fits

// endedSession is a session that has ended and whose channel has been opened again.
type endedSession struct {
	id      uint64
	start   int64
	opened  bool
	counts  session
	details *details
	rec     *recording // nil without a recorder
}

// candidate is a dropped session that may become an exemplar.
type candidate struct {
	id      uint64 // of the channel
	trace   wsevent.SpanContext
	start   int64
	first   int64 // reply, ms; -1: none
	details *details
}

const (
	maxText    = 1024 // bytes of a channel's ID, a user's, and a reason
	maxEarlier = 128  // segments that are linked
)

// configureSessions derives what sessions need from the configuration.
func (e *Engine) configureSessions() {
	c := e.config.Sessions
	e.segment, e.reconnectWithin = c.Segment.Milliseconds(), c.ReconnectWithin.Milliseconds()
	e.segmentEvery = max(1, e.segment/sweeps/e.grid.step)
	e.threshold = rejected(c.SampleRatio)
	e.traceState = traceState(e.threshold)
	e.starts = map[uint64]opening{}
}

// sessionsOf returns the sessions of a series, which begin with its first channel.
func sessionsOf(s *series) *sessions {
	if s.sessions == nil {
		since := int64(0)
		if s.reported { // they have begun later than the series, as with a change of the configuration
			since = s.latest
		}
		s.sessions = newSessions(since)
	}
	if s.channels.sessions == nil {
		s.channels.sessions = make([]sessionRef, len(s.channels.slots))
	}
	return s.sessions
}

// sessionAt returns the number of the session of a slot, 0 where no more can be
// followed. A channel that was restored without one gets one that is partial.
func (s *series) sessionAt(slot int, partial bool) uint32 {
	of := sessionsOf(s)
	n := s.channels.sessions[slot].number()
	if n == 0 {
		if n = of.add(); n != 0 {
			s.channels.sessions[slot] = refOf(n)
			if partial {
				of.at(n).set(sessionPartial)
			}
		}
	}
	return n
}

// applyToSession applies an event to the session of its channel. before is the channel
// before the event, the zero value where it was not known.
func (e *Engine) applyToSession(s *series, event *Event, before channel, t int64) {
	slot := s.channels.slot(event.Channel)
	if slot < 0 {
		return // not tracked
	}
	known := before != channel{}
	n := s.sessionAt(slot, known)
	if n == 0 {
		e.stats.UnrecordedSessions++
		return
	}
	c, of := s.channels.slots[slot].channel, s.sessions
	reopened := before.closed() && (!c.closed() || c.lastEventAt() > before.lastEventAt())
	if reopened {
		e.detach(s, event.Channel, n, before)
		d := of.needDetails(n)
		d.start, d.opened = t, event.effect() == ConnectionOpen
	}
	one := of.at(n)
	if moved := before.openedAt() - c.openedAt(); known && moved > 0 && !reopened {
		e.moveStart(s, event.Channel, n, before, moved)
	}
	start := of.start(n, c)
	if e.segment > 0 && known && !reopened && !before.closed() && t-start >= e.segment {
		e.cut(s, event.Channel, n, c, before.lastEventAt(), t)
	}
	switch event.Kind {
	case MessageSend, MessageReceive:
		one.message(event, t-start)
	case ConnectionOpen:
		if known && !reopened && before.opened() {
			one.set(sessionPartial) // its close was missed
		}
		e.reconnect(s, event, n, t)
	}
	if event.Reconstructed != Received {
		one.set(sessionPartial)
	}
	if e.config.Sessions.RecorderEvents > 0 {
		of.needRecording(n).add(event, t, e.config.Sessions.RecorderEvents)
	}
	if c.closed() && (!before.closed() || reopened) {
		e.closeSession(s, event, n, start, c.lastEventAt())
	}
	if e.config.TrackChanges && !one.is(sessionChanged) {
		one.set(sessionChanged)
		e.changes = append(e.changes, change{s, event.Channel})
	}
}

// moveStart moves the start of a session to that of an event that was overtaken. That of an
// exemplar no longer moves, since its trace has been named.
func (e *Engine) moveStart(s *series, id uint64, n uint32, before channel, moved int64) {
	one, d := s.sessions.at(n), s.sessions.detailsOf(n)
	switch {
	case d != nil && d.start != 0: // the event is of an earlier session
		return
	case d != nil && d.sampled:
		d.start, d.opened = before.openedAt(), before.opened()
		return
	}
	one.shift(moved)
	if d == nil || d.outcome != wsevent.OutcomeDropped {
		return
	}
	start := before.openedAt() - moved
	trace := traceOf(s, id, start, d.segment)
	slot := s.slot(max(e.grid.first(d.end), s.stream.next))
	slot.drops = slices.DeleteFunc(slot.drops, func(c candidate) bool { return c.details == d })
	s.nominate(e, id, one, d, trace, start)
	if drop, ok := s.stream.dropped[d.user]; ok && drop.at == d.end {
		s.stream.dropped[d.user] = recentDrop{drop.at, trace}
	}
}

// prefetchSessions loads the sessions of a batch, whose channels are in the cache: first
// what refers to them, then they themselves, then their recordings.
func (s *series) prefetchSessions(events []Event) (loaded uint64) {
	for i := range events {
		loaded += uint64(s.channels.sessions[s.channels.home(events[i].Channel)][0])
	}
	for i := range events {
		if slot := s.channels.slot(events[i].Channel); slot >= 0 {
			if n := s.channels.sessions[slot].number(); n != 0 {
				loaded += s.sessions.at(n).bits
			}
		}
	}
	if s.sessions.recordings == nil {
		return loaded
	}
	for i := range events {
		if slot := s.channels.slot(events[i].Channel); slot >= 0 {
			if rec := s.sessions.recordingOf(s.channels.sessions[slot].number()); rec != nil {
				loaded += uint64(len(rec.events))
			}
		}
	}
	for i := range events {
		if slot := s.channels.slot(events[i].Channel); slot >= 0 {
			if rec := s.sessions.recordingOf(s.channels.sessions[slot].number()); rec != nil && len(rec.events) > 0 {
				loaded += uint64(rec.events[0]) //nolint:gosec // it has no meaning
			}
		}
	}
	return loaded
}

// start returns the start of a session, unix ms.
func (s *sessions) start(n uint32, c channel) int64 {
	if d := s.detailsOf(n); d != nil && d.start != 0 {
		return d.start
	}
	return c.openedAt()
}

// opened reports whether the start of a session is an open.
func (s *sessions) opened(n uint32, c channel) bool {
	if d := s.detailsOf(n); d != nil && d.start != 0 {
		return d.opened
	}
	return c.opened()
}

// add keeps the latest events, at most most.
func (r *recording) add(event *Event, t int64, most int) {
	r.identify(event.Detail)
	switch {
	case r.events == nil:
		r.events = append(make([]recordedEvent, 0, most), packEvent(t, event.Kind))
	case len(r.events) < most:
		r.events = append(r.events, packEvent(t, event.Kind))
	default:
		copy(r.events, r.events[1:])
		r.events[len(r.events)-1] = packEvent(t, event.Kind)
	}
}

// identify notes whose session it is.
func (i *identity) identify(of *Detail) {
	if of == nil {
		return
	}
	if i.channelID == "" && of.ChannelID != "" {
		i.channelID = bounded(of.ChannelID)
	}
	if i.user == 0 {
		i.user = of.User
	}
	if i.userID == "" && of.UserID != "" {
		i.userID = bounded(of.UserID)
	}
}

// bounded returns a text that keeps nothing of a batch in memory, cut to maxText.
func bounded(text string) string {
	if len(text) > maxText {
		return strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.Clone(text)
}

// closeSession ends a session at t. It is reported when its channel is removed.
func (e *Engine) closeSession(s *series, event *Event, n uint32, start, t int64) {
	d := s.sessions.needDetails(n)
	if rec := s.sessions.recordingOf(n); rec != nil {
		d.identity = rec.identity
	}
	d.identify(event.Detail)
	d.outcome, d.end = wsevent.OutcomeClosed, t
	if event.Detail != nil {
		d.code, d.hasCode = event.Detail.CloseCode, event.Detail.HasCode
		d.reason = bounded(event.Detail.CloseReason)
	}
	if !event.Abnormal || event.Unknown {
		return
	}
	d.outcome = wsevent.OutcomeDropped
	trace := traceOf(s, event.Channel, start, d.segment)
	s.nominate(e, event.Channel, s.sessions.at(n), d, trace, start)
	e.rememberDrop(s.stream, d.user, trace, t)
}

// nominate makes a dropped session a candidate for the exemplars of its first window:
// those with the greatest randomness are, whatever their order.
func (s *series) nominate(e *Engine, id uint64, one *session, d *details, trace wsevent.SpanContext, start int64) {
	k := max(e.grid.first(d.end), s.stream.next)
	slot := s.slot(k)
	d.nominee = e.grid.start(k)
	first := int64(-1)
	if one.reply != 0 {
		first = int64(one.reply) - int64(one.receive)
	}
	at, _ := slices.BinarySearchFunc(slot.drops, randomness(trace.TraceID), func(c candidate, r uint64) int {
		if randomness(c.trace.TraceID) >= r {
			return -1
		}
		return 1
	})
	if at >= e.config.Sessions.ExemplarsPerWindow {
		return
	}
	slot.drops = slices.Insert(slot.drops, at, candidate{id, trace, start, first, d})
	slot.drops = slot.drops[:min(len(slot.drops), e.config.Sessions.ExemplarsPerWindow)]
}

// detach ends the session of a channel that is opened again. Its number is that of the
// new one.
func (e *Engine) detach(s *series, id uint64, n uint32, before channel) {
	of := s.sessions
	one, d := of.at(n), of.needDetails(n)
	if d.outcome == "" { // restored without one
		d.outcome, d.end = wsevent.OutcomeClosed, before.lastEventAt()
	}
	counts := *one
	of.ended = append(of.ended, endedSession{id, of.start(n, before), of.opened(n, before), counts, d, of.recordingOf(n)})
	of.clear(n)
}

// endDetached reports the sessions whose channels have been opened again, once no echo
// of their close can arrive in window k or before.
func (e *Engine) endDetached(s *series, k int64) {
	if s.sessions == nil || len(s.sessions.ended) == 0 {
		return
	}
	s.sessions.ended = slices.DeleteFunc(s.sessions.ended, func(ended endedSession) bool {
		due := e.grid.last(ended.details.end+e.grace) <= k
		if due {
			e.report(s, ended, ended.details.outcome, ended.details.end, ended.details.end)
		}
		return due
	})
}

// endSession reports the session of a channel that is removed.
func (e *Engine) endSession(s *series, id uint64, expired bool) {
	slot := s.channels.slot(id)
	if slot < 0 {
		return
	}
	n := s.sessionAt(slot, true)
	if n == 0 {
		return
	}
	c, of := s.channels.slots[slot].channel, s.sessions
	d := of.needDetails(n)
	ended := endedSession{id, of.start(n, c), of.opened(n, c), *of.at(n), d, of.recordingOf(n)}
	outcome, end, until := d.outcome, d.end, d.end
	switch {
	case expired:
		outcome, end, until = wsevent.OutcomeExpired, c.lastEventAt(), c.lastEventAt()+e.ttl
	case outcome == "":
		outcome, end, until = wsevent.OutcomeClosed, c.lastEventAt(), c.lastEventAt()
	}
	e.report(s, ended, outcome, end, until)
	of.release(n)
	s.channels.sessions[slot] = sessionRef{}
}

// forgetSession drops the session of a channel that is removed without a record.
func forgetSession(s *series, id uint64) {
	if s.sessions == nil || s.channels.sessions == nil {
		return
	}
	slot := s.channels.slot(id)
	if slot < 0 {
		return
	}
	if n := s.channels.sessions[slot].number(); n != 0 {
		s.sessions.release(n)
		s.channels.sessions[slot] = sessionRef{}
	}
}

// report adds the record of a session that has ended, and counts it in the totals. until
// is up to when it must have been received to be complete.
func (e *Engine) report(s *series, ended endedSession, outcome string, end, until int64) {
	record := e.sessionRecord(s, &ended, outcome, end, until)
	d := ended.details
	if !d.sampled && (outcome == wsevent.OutcomeExpired || !record.Complete) && s.sessions.left > 0 {
		s.sessions.left--
		d.sampled = true
	}
	record.Sampled = e.sample(&record, d.sampled)
	s.sessions.count(&record)
	if record.Sampled {
		s.sessions.addExemplar(&record, e.config.Sessions.ExemplarsPerWindow)
	}
	e.ended = append(e.ended, record)
	e.stats.Sessions++
}

func (e *Engine) sessionRecord(s *series, of *endedSession, outcome string, end, until int64) wsevent.Session {
	one, d := &of.counts, of.details
	if of.rec != nil && d.channelID == "" {
		d.identity = of.rec.identity
	}
	record := wsevent.Session{
		Tags:        s.tags,
		SpanContext: traceOf(s, of.id, of.start, d.segment),
		ChannelID:   d.channelID,
		UserID:      d.userID,
		Start:       wsevent.UnixMilli(of.start),
		End:         wsevent.UnixMilli(max(end, of.start)),
		Outcome:     outcome,
		CloseCode:   d.code, CloseCodeKnown: d.hasCode, CloseReason: d.reason,
		MessagesSent: int64(one.sent), MessagesReceived: int64(one.received),
		PayloadBytes: one.bytes(), PayloadKnown: one.is(sessionSized) || one.sent == 0 && one.received == 0,
		FirstReplyKnown: one.reply != 0,
		Complete:        of.opened && !one.is(sessionPartial) && s.stream.received(of.start, until),
		ReconnectOf:     d.origin,
	}
	record.ID = record.TraceID
	if one.reply != 0 {
		record.FirstReply = time.Duration(one.reply-one.receive) * time.Millisecond
	}
	if d.segment > 0 || outcome == wsevent.OutcomeOpen {
		record.ID = traceOf(s, of.id, of.start, 0).TraceID
		record.Segmented, record.Segment = true, d.segment
		record.SegmentStart = wsevent.UnixMilli(of.start + int64(d.segment)*e.segment)
		for _, segment := range d.earlier {
			record.Earlier = append(record.Earlier, traceOf(s, of.id, of.start, segment))
		}
	}
	if of.rec != nil {
		for _, event := range of.rec.events {
			record.Events = append(record.Events, wsevent.SessionEvent{
				Offset: time.Duration(event.at()-of.start) * time.Millisecond, Type: event.kind().eventName(),
			})
		}
	}
	return record
}

// cut reports the segment that ends at or before t, unless it has no event. latest is the
// time of the latest event before.
func (e *Engine) cut(s *series, id uint64, n uint32, c channel, latest, t int64) {
	of := s.sessions
	start, current := of.start(n, c), 0
	if d := of.detailsOf(n); d != nil {
		current = d.segment
	}
	reached := int((t - start) / e.segment)
	if reached <= current {
		return
	}
	d := of.needDetails(n)
	if latest >= start+int64(current)*e.segment {
		ended := endedSession{id, start, of.opened(n, c), *of.at(n), d, of.recordingOf(n)}
		end := start + int64(current+1)*e.segment
		record := e.sessionRecord(s, &ended, wsevent.OutcomeOpen, end, end)
		record.Sampled = e.sample(&record, false)
		e.ended = append(e.ended, record)
		d.earlier = append(d.earlier, current)
		d.earlier = d.earlier[max(0, len(d.earlier)-maxEarlier):]
	}
	d.segment = reached
}

// cutSegments reports the segments that ended before t.
func (e *Engine) cutSegments(s *series, t int64) {
	if e.segment == 0 || s.sessions == nil || s.channels.sessions == nil {
		return
	}
	for slot := range s.channels.slots {
		entry := &s.channels.slots[slot]
		if entry.id == 0 || entry.closed() || t-entry.openedAt() < e.segment {
			continue
		}
		n := s.channels.sessions[slot].number()
		if n == 0 || t-s.sessions.start(n, entry.channel) < e.segment {
			continue
		}
		before := len(e.ended)
		e.cut(s, entry.id, n, entry.channel, entry.lastEventAt(), t)
		if len(e.ended) > before {
			e.changed(s, entry.id)
		}
	}
}

// received reports whether the stream was received in all of [start, end].
func (s *stream) received(start, end int64) bool {
	if start < s.lostUntil || len(s.down) > 0 && end > s.downSince+s.clockOffset || s.awayAt(end-s.clockOffset) {
		return false
	}
	return !slices.ContainsFunc(s.gaps, func(g gap) bool { return g.start < end && g.end > start })
}

// maxDrops bounds the dropped sessions whose reconnect is waited for.
const maxDrops = 100_000

// recentDrop is a dropped session whose user may connect again.
type recentDrop struct {
	at    int64
	trace wsevent.SpanContext
}

func (e *Engine) rememberDrop(st *stream, user uint64, trace wsevent.SpanContext, t int64) {
	if user == 0 || e.reconnectWithin == 0 {
		return
	}
	if _, known := st.dropped[user]; !known {
		if e.dropped >= maxDrops {
			return
		}
		e.dropped++
	}
	if st.dropped == nil {
		st.dropped = map[uint64]recentDrop{}
	}
	st.dropped[user] = recentDrop{t, trace}
}

// reconnect finds the dropped session that an open follows.
func (e *Engine) reconnect(s *series, event *Event, n uint32, t int64) {
	event.reopened = false
	if event.Detail == nil || event.Detail.User == 0 || event.Reconstructed == Present {
		return
	}
	drop, ok := s.stream.dropped[event.Detail.User]
	if !ok || t < drop.at || t-drop.at > e.reconnectWithin {
		return
	}
	delete(s.stream.dropped, event.Detail.User)
	e.dropped--
	event.reopened = true
	d := s.sessions.needDetails(n)
	d.origin = drop.trace
	d.identify(event.Detail)
}

// forgetDrops drops those of long ago.
func (e *Engine) forgetDrops(st *stream) {
	oldest := e.grid.start(st.next) - e.reconnectWithin
	for user, drop := range st.dropped {
		if drop.at < oldest {
			delete(st.dropped, user)
			e.dropped--
		}
	}
}

// eventName is the name of the event record that an event was read from.
func (k Kind) eventName() string {
	switch k {
	case ConnectionOpen:
		return wsevent.ConnectionOpen
	case ConnectionClose:
		return wsevent.ConnectionClose
	case MessageSend:
		return wsevent.MessageSend
	case MessageReceive:
		return wsevent.MessageReceive
	default:
		return wsevent.Unknown
	}
}

// DrainSessions returns the sessions that have ended since the last call. The caller owns
// them.
func (e *Engine) DrainSessions() []wsevent.Session {
	ended := e.ended
	e.ended = nil
	return ended
}
