// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wslog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// EncodeSession writes a session into a new log record. The caller puts the tags on the
// resource.
func EncodeSession(record plog.LogRecord, s *wsevent.Session) {
	record.SetEventName(wsevent.SessionRecord)
	record.SetTimestamp(timestamp(s.End))
	record.SetTraceID(pcommon.TraceID(s.TraceID))
	record.SetSpanID(pcommon.SpanID(s.SpanID))

	body := record.Body().SetEmptyMap()
	body.EnsureCapacity(24)
	body.PutStr(wsevent.KeySessionID, s.ID.String())
	putText(body, wsevent.KeyChannelID, s.ChannelID)
	if s.Pseudonym {
		putText(body, wsevent.KeyUserPseudoID, s.UserID)
	} else {
		putText(body, wsevent.KeyUserID, s.UserID)
	}
	body.PutInt(wsevent.KeyStart, int64(s.Start))
	body.PutInt(wsevent.KeyEnd, int64(s.End))
	body.PutStr(wsevent.KeyOutcome, s.Outcome)
	if s.CloseCodeKnown {
		body.PutInt(wsevent.KeyCloseCode, s.CloseCode)
	}
	putText(body, wsevent.KeyCloseReason, s.CloseReason)
	body.PutInt(wsevent.KeyMessagesSent, s.MessagesSent)
	body.PutInt(wsevent.KeyMessagesReceived, s.MessagesReceived)
	putKnown(body, wsevent.KeyPayloadBytes, s.PayloadBytes, s.PayloadKnown)
	putKnown(body, wsevent.KeyFirstReply, s.FirstReply.Milliseconds(), s.FirstReplyKnown)
	body.PutBool(wsevent.KeyComplete, s.Complete)
	if len(s.Events) > 0 {
		events := body.PutEmptySlice(wsevent.KeySessionEvents)
		events.EnsureCapacity(len(s.Events))
		for _, event := range s.Events {
			one := events.AppendEmpty().SetEmptyMap()
			one.PutInt(wsevent.KeyEventOffset, event.Offset.Milliseconds())
			one.PutStr(wsevent.KeyEventType, event.Type)
		}
	}
	putSpan(body, s.SpanContext)
	putText(body, wsevent.KeyTraceState, s.TraceState)
	body.PutBool(wsevent.KeySampled, s.Sampled)
	if s.Segmented {
		body.PutInt(wsevent.KeySegment, int64(s.Segment))
		body.PutInt(wsevent.KeySegmentStart, int64(s.SegmentStart))
	}
	if len(s.Earlier) > 0 {
		earlier := body.PutEmptySlice(wsevent.KeySegments)
		for _, one := range s.Earlier {
			putSpan(earlier.AppendEmpty().SetEmptyMap(), one)
		}
	}
	if s.ReconnectOf != (wsevent.SpanContext{}) {
		body.PutStr(wsevent.KeyReconnectOf, s.ReconnectOf.TraceID.String())
		body.PutStr(wsevent.KeyReconnectSpan, s.ReconnectOf.SpanID.String())
	}
}

func timestamp(t wsevent.UnixMilli) pcommon.Timestamp { return pcommon.Timestamp(max(0, t) * 1e6) }

func putText(into pcommon.Map, key, text string) {
	if text != "" {
		into.PutStr(key, text)
	}
}

func putSpan(into pcommon.Map, of wsevent.SpanContext) {
	into.PutStr(wsevent.KeyTraceID, of.TraceID.String())
	into.PutStr(wsevent.KeySpanID, of.SpanID.String())
}

// IsSession reports whether a record is a session record.
func IsSession(record plog.LogRecord) bool { return record.EventName() == wsevent.SessionRecord }

// maxListed is how many events and links of a record are read, which bounds what one
// record can become.
const maxListed = 1024

// DecodeSession decodes a session record, whose tags are on the resource. The error names
// the key that is missing or has another type than the contract gives it.
func DecodeSession(record plog.LogRecord, resource pcommon.Map) (s wsevent.Session, err error) {
	if record.Body().Type() != pcommon.ValueTypeMap {
		return s, fmt.Errorf("session record: body is %s, want a map", record.Body().Type())
	}
	body := record.Body().Map()
	if s.SpanContext, err = spanAt(body); err != nil {
		return s, fmt.Errorf("session record: %w", err)
	}
	if s.ID, err = traceAt(body, wsevent.KeySessionID); err != nil {
		s.ID = s.TraceID
	}
	start, ok := Int(body, wsevent.KeyStart)
	if !ok {
		return s, errors.New("session record: start: missing or no number")
	}
	end, ok := Int(body, wsevent.KeyEnd)
	if !ok {
		return s, errors.New("session record: end: missing or no number")
	}
	if start < 0 || end < start || end > maxTime {
		return s, fmt.Errorf("session record: start %d and end %d are no time from the first to the second", start, end)
	}
	s.Tags, s.Start, s.End = TagsOf(resource), wsevent.UnixMilli(start), wsevent.UnixMilli(end)
	s.Outcome = text(body, wsevent.KeyOutcome)
	switch s.Outcome {
	case wsevent.OutcomeClosed, wsevent.OutcomeDropped, wsevent.OutcomeExpired, wsevent.OutcomeOpen:
	default:
		return s, fmt.Errorf("session record: outcome: %q: must be closed, dropped, expired or open", s.Outcome)
	}
	s.ChannelID = text(body, wsevent.KeyChannelID)
	if s.UserID = text(body, wsevent.KeyUserPseudoID); s.UserID != "" {
		s.Pseudonym = true
	} else {
		s.UserID = text(body, wsevent.KeyUserID)
	}
	s.CloseCode, s.CloseCodeKnown = Int(body, wsevent.KeyCloseCode)
	s.CloseReason = text(body, wsevent.KeyCloseReason)
	s.MessagesSent, _ = Int(body, wsevent.KeyMessagesSent)
	s.MessagesReceived, _ = Int(body, wsevent.KeyMessagesReceived)
	s.PayloadBytes, s.PayloadKnown = Int(body, wsevent.KeyPayloadBytes)
	s.FirstReply, s.FirstReplyKnown = millis(body, wsevent.KeyFirstReply)
	s.Complete, s.Sampled = boolean(body, wsevent.KeyComplete), boolean(body, wsevent.KeySampled)
	s.TraceState = text(body, wsevent.KeyTraceState)
	decodeSegments(body, &s)
	for _, event := range listed(body, wsevent.KeySessionEvents) {
		offset, known := millis(event, wsevent.KeyEventOffset)
		if known {
			s.Events = append(s.Events, wsevent.SessionEvent{Offset: offset, Type: text(event, wsevent.KeyEventType)})
		}
	}
	return s, nil
}

func decodeSegments(body pcommon.Map, s *wsevent.Session) {
	if segment, ok := Int(body, wsevent.KeySegment); ok && segment >= 0 && segment <= math.MaxInt32 {
		start, _ := Int(body, wsevent.KeySegmentStart)
		s.Segmented, s.Segment, s.SegmentStart = true, int(segment), wsevent.UnixMilli(min(max(start, int64(s.Start)), maxTime))
	}
	for _, one := range listed(body, wsevent.KeySegments) {
		if of, err := spanAt(one); err == nil {
			s.Earlier = append(s.Earlier, of)
		}
	}
	trace, err := traceAt(body, wsevent.KeyReconnectOf)
	if err != nil {
		return
	}
	if raw, err := hex.DecodeString(text(body, wsevent.KeyReconnectSpan)); err == nil && len(raw) == len(s.SpanID) {
		s.ReconnectOf = wsevent.SpanContext{TraceID: trace, SpanID: wsevent.SpanID(raw)}
	}
}

// maxTime is the largest time, unix ms, that nanoseconds in an int64 can state.
const maxTime = math.MaxInt64 / 1_000_000

// listed returns the maps of a slice, at most maxListed.
func listed(body pcommon.Map, key string) []pcommon.Map {
	value, ok := body.Get(key)
	if !ok || value.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var maps []pcommon.Map
	for _, one := range value.Slice().All() {
		if one.Type() == pcommon.ValueTypeMap && len(maps) < maxListed {
			maps = append(maps, one.Map())
		}
	}
	return maps
}

func text(body pcommon.Map, key string) string {
	if value, ok := body.Get(key); ok && value.Type() == pcommon.ValueTypeStr {
		return value.Str()
	}
	return ""
}

func boolean(body pcommon.Map, key string) bool {
	value, ok := body.Get(key)
	return ok && value.Type() == pcommon.ValueTypeBool && value.Bool()
}

func millis(body pcommon.Map, key string) (time.Duration, bool) {
	ms, ok := Int(body, key)
	if !ok || ms < -maxTime || ms > maxTime {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

func traceAt(body pcommon.Map, key string) (id wsevent.TraceID, err error) {
	raw, err := hex.DecodeString(text(body, key))
	if err != nil || len(raw) != len(id) || wsevent.TraceID(raw) == (wsevent.TraceID{}) {
		return id, fmt.Errorf("%s: missing, or not 32 hexadecimal digits", key)
	}
	return wsevent.TraceID(raw), nil
}

func spanAt(body pcommon.Map) (of wsevent.SpanContext, err error) {
	if of.TraceID, err = traceAt(body, wsevent.KeyTraceID); err != nil {
		return of, err
	}
	raw, err := hex.DecodeString(text(body, wsevent.KeySpanID))
	if err != nil || len(raw) != len(of.SpanID) || wsevent.SpanID(raw) == (wsevent.SpanID{}) {
		return of, fmt.Errorf("%s: missing, or not 16 hexadecimal digits", wsevent.KeySpanID)
	}
	of.SpanID = wsevent.SpanID(raw)
	return of, nil
}

// putSessions writes what sessions add to a window record.
func putSessions(body pcommon.Map, w *wsevent.Window) {
	if len(w.Dropped) > 0 {
		traces := body.PutEmptySlice(wsevent.KeyTraces)
		for i := range w.Dropped {
			putExemplar(traces.AppendEmpty().SetEmptyMap(), &w.Dropped[i])
		}
	}
	if len(w.Sessions) == 0 {
		return
	}
	sessions := body.PutEmptyMap(wsevent.KeySessions)
	sessions.PutInt(wsevent.TotalSince, int64(w.SessionsSince))
	outcomes := sessions.PutEmptyMap(wsevent.KeyOutcomes)
	for i := range w.Sessions {
		of := outcomes.PutEmptyMap(w.Sessions[i].Outcome)
		putHistogram(of.PutEmptyMap(wsevent.KeyDuration), &w.Sessions[i].Duration)
		putHistogram(of.PutEmptyMap(wsevent.KeyReplies), &w.Sessions[i].FirstReply)
	}
	if len(w.Exemplars) > 0 {
		exemplars := sessions.PutEmptySlice(wsevent.KeyExemplars)
		for i := range w.Exemplars {
			putExemplar(exemplars.AppendEmpty().SetEmptyMap(), &w.Exemplars[i])
		}
	}
}

func putExemplar(into pcommon.Map, e *wsevent.Exemplar) {
	putSpan(into, e.SpanContext)
	into.PutInt(wsevent.KeyTimestamp, int64(e.Time))
	into.PutStr(wsevent.KeyOutcome, e.Outcome)
	into.PutInt(wsevent.KeyDurationMS, e.Duration.Milliseconds())
	if e.Replied {
		into.PutInt(wsevent.KeyFirstReply, e.FirstReply.Milliseconds())
	}
}

func putHistogram(into pcommon.Map, h *wsevent.Histogram) {
	into.PutInt(wsevent.KeyHistogramScale, wsevent.HistogramScale)
	into.PutInt(wsevent.KeyHistogramCount, int64(min(h.Count, math.MaxInt64))) //nolint:gosec // it fits
	into.PutInt(wsevent.KeyHistogramSum, h.Sum)
	into.PutInt(wsevent.KeyHistogramZero, int64(min(h.Zero, math.MaxInt64))) //nolint:gosec // it fits
	into.PutInt(wsevent.KeyHistogramFirst, int64(h.First))
	buckets := into.PutEmptySlice(wsevent.KeyHistogramCells)
	buckets.EnsureCapacity(len(h.Buckets))
	for _, n := range h.Buckets {
		buckets.AppendEmpty().SetInt(int64(min(n, math.MaxInt64))) //nolint:gosec // it fits
	}
}

// Traces returns the sampled sessions that were dropped in the window, none from a sender
// without sessions.
func (r *Record) Traces() []wsevent.Exemplar { return exemplars(r.Body, wsevent.KeyTraces) }

func exemplars(body pcommon.Map, key string) []wsevent.Exemplar {
	var all []wsevent.Exemplar
	for _, one := range listed(body, key) {
		of, err := spanAt(one)
		at, ok := Int(one, wsevent.KeyTimestamp)
		duration, known := millis(one, wsevent.KeyDurationMS)
		if err != nil || !ok || !known || at < 0 || at > maxTime {
			continue
		}
		e := wsevent.Exemplar{SpanContext: of, Time: wsevent.UnixMilli(at), Outcome: text(one, wsevent.KeyOutcome), Duration: duration}
		e.FirstReply, e.Replied = millis(one, wsevent.KeyFirstReply)
		all = append(all, e)
	}
	return all
}

// Sessions is what a window record has of sessions.
type Sessions struct {
	Since     wsevent.UnixMilli
	Totals    []wsevent.SessionTotals
	Exemplars []wsevent.Exemplar
}

// Sessions decodes the totals of sessions; ok is false where the sender has none. The error
// names the key that is missing or has another type than the contract gives it.
func (r *Record) Sessions() (s Sessions, ok bool, err error) {
	if _, ok = r.Body.Get(wsevent.KeySessions); !ok {
		return s, false, nil
	}
	body, err := mapAt(r.Body, wsevent.KeySessions)
	if err != nil {
		return s, false, err
	}
	since, ok := Int(body, wsevent.TotalSince)
	if !ok || since < 0 || since > maxTime {
		return s, false, errors.New("window record: sessions::since: missing or no time")
	}
	outcomes, err := mapAt(body, wsevent.KeyOutcomes)
	if err != nil {
		return s, false, fmt.Errorf("sessions::%w", err)
	}
	s.Since, s.Exemplars = wsevent.UnixMilli(since), exemplars(body, wsevent.KeyExemplars)
	for name, value := range outcomes.All() {
		if name != wsevent.OutcomeClosed && name != wsevent.OutcomeDropped && name != wsevent.OutcomeExpired {
			continue // of a later version
		}
		totals := wsevent.SessionTotals{Outcome: name}
		if value.Type() != pcommon.ValueTypeMap {
			return s, false, fmt.Errorf("window record: sessions::outcomes::%s is %s, want a map", name, value.Type())
		}
		for key, h := range map[string]*wsevent.Histogram{wsevent.KeyDuration: &totals.Duration, wsevent.KeyReplies: &totals.FirstReply} {
			if *h, err = histogramAt(value.Map(), key); err != nil {
				return s, false, fmt.Errorf("window record: sessions::outcomes::%s::%s: %w", name, key, err)
			}
		}
		s.Totals = append(s.Totals, totals)
	}
	return s, true, nil
}

// histogramAt decodes a histogram whose buckets agree with its count.
func histogramAt(body pcommon.Map, key string) (h wsevent.Histogram, err error) {
	value, ok := body.Get(key)
	if !ok || value.Type() != pcommon.ValueTypeMap {
		return h, errors.New("missing or no map")
	}
	of := value.Map()
	scale, hasScale := Int(of, wsevent.KeyHistogramScale)
	count, hasCount := Int(of, wsevent.KeyHistogramCount)
	sum, hasSum := Int(of, wsevent.KeyHistogramSum)
	zero, hasZero := Int(of, wsevent.KeyHistogramZero)
	first, hasFirst := Int(of, wsevent.KeyHistogramFirst)
	buckets, hasBuckets := of.Get(wsevent.KeyHistogramCells)
	switch {
	case !hasScale || !hasCount || !hasSum || !hasZero || !hasFirst || !hasBuckets || buckets.Type() != pcommon.ValueTypeSlice:
		return h, errors.New("scale, count, sum_ms, zero, offset and buckets are required")
	case scale != wsevent.HistogramScale:
		return h, fmt.Errorf("scale %d: must be %d", scale, wsevent.HistogramScale)
	case count < 0 || sum < 0 || zero < 0 || first < -maxListed || first > maxListed || buckets.Slice().Len() > maxListed:
		return h, errors.New("has a number out of range")
	}
	h.Count, h.Zero, h.Sum, h.First = uint64(count), uint64(zero), sum, int32(first)
	total := h.Zero
	for _, bucket := range buckets.Slice().All() {
		n := bucket.Int()
		if bucket.Type() == pcommon.ValueTypeDouble {
			n, _ = nearest(bucket.Double())
		}
		if n < 0 {
			return h, errors.New("has a negative bucket")
		}
		h.Buckets = append(h.Buckets, uint64(n))
		total += uint64(n)
	}
	if total != h.Count {
		return h, fmt.Errorf("count %d is not the sum of its buckets, %d", h.Count, total)
	}
	return h, nil
}
