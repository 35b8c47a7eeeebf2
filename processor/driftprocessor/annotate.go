// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"iter"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// annotation is the change to the events of one resource of a batch.
type annotation struct {
	resource   int
	correction time.Duration
	flag       bool
}

// measure measures the lags of the events of a batch. It returns the annotations to make,
// and the number of events of streams beyond max_streams.
func (p *driftProcessor) measure(logs plog.Logs) (annotations []annotation, refused int64) {
	now, elapsed := pcommon.NewTimestampFromTime(time.Now()), p.now()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	resources := logs.ResourceLogs()
	for i := range resources.Len() {
		resource := resources.At(i)
		s := p.streams.of(resource.Resource().Attributes(), elapsed)
		if s == nil {
			refused += countEvents(resource)
			continue
		}
		for _, scope := range resource.ScopeLogs().All() {
			if byPlatform(scope) && !isInBlocks(scope) {
				s.measure(scope.LogRecords(), now, elapsed)
			}
		}
		if s.flag || s.correction != 0 {
			annotations = append(annotations, annotation{i, s.correction, s.flag})
		}
	}
	return annotations, refused
}

// isInBlocks reports whether event blocks have the same events as a scope: they are measured
// and counted there.
func isInBlocks(scope plog.ScopeLogs) bool {
	_, inBlocks := scope.Scope().Attributes().Get(wsevent.BlockCounted)
	return inBlocks
}

// byPlatform reports whether the times of a scope's events are by the clock that the skew
// of their stream is measured by.
func byPlatform(scope plog.ScopeLogs) bool {
	_, other := scope.Scope().Attributes().Get(wsevent.ClockSource)
	return !other
}

// measure measures the lags of records.
func (s *stream) measure(records plog.LogRecordSlice, now pcommon.Timestamp, elapsed time.Duration) {
	for i := range records.Len() {
		record := records.At(i)
		if !isEvent(record.EventName()) {
			if wslog.IsBlock(record) {
				s.measureBlock(record, now)
			} else {
				s.addRoundTrip(record, elapsed)
			}
			continue
		}
		sent, arrived := record.Timestamp(), record.ObservedTimestamp()
		if sent == 0 || sent > math.MaxInt64 {
			continue // it has no time, or one past the year 2262
		}
		if arrived == 0 {
			arrived = now
		}
		if s.correction != 0 { // it may have been corrected, and be retried
			sent = original(record)
		}
		s.observe(time.Duration(arrived) - time.Duration(sent))
	}
}

// measureBlock measures the lags of the events in a block. Their times in it are never
// corrected ones. Whoever counts the events reports a block that cannot be decoded.
func (s *stream) measureBlock(record plog.LogRecord, now pcommon.Timestamp) {
	var r eventblock.Reader
	if wslog.OpenBlock(record, &r) != nil {
		return
	}
	if at := record.ObservedTimestamp(); at != 0 {
		now = at
	}
	for sent, arrived, ok := r.NextTimes(); ok; sent, arrived, ok = r.NextTimes() {
		if sent == 0 {
			continue
		}
		if arrived == 0 {
			arrived = int64(now) //nolint:gosec // it fits
		}
		s.observe(time.Duration(arrived - sent))
	}
}

func (s *stream) observe(lag time.Duration) {
	s.estimator.Observe(lag)
	s.busy = true
}

// addRoundTrip measures the round trip that a record about the stream has.
func (s *stream) addRoundTrip(record plog.LogRecord, elapsed time.Duration) {
	if trip, ok := wslog.Number(record.Attributes(), wsevent.StreamRoundTrip); ok {
		s.estimator.RoundTrip(time.Duration(trip*float64(time.Millisecond)), elapsed)
	}
}

// isEvent reports whether a record is an event of the platform, stamped by its clock, and
// not a record about the stream, stamped by ours.
func isEvent(name string) bool {
	switch name {
	case wsevent.MessageSend, wsevent.MessageReceive, wsevent.ConnectionOpen, wsevent.ConnectionClose:
		return true
	default:
		return false
	}
}

// original is the platform's time of an event, whether it was corrected or not.
func original(record plog.LogRecord) pcommon.Timestamp {
	if at, ok := record.Attributes().Get(wsevent.ClockOriginal); ok {
		return pcommon.Timestamp(at.Int())
	}
	return record.Timestamp()
}

// annotate corrects and flags events. Logs that must not be changed are copied.
func (p *driftProcessor) annotate(ctx context.Context, logs plog.Logs, annotations []annotation) plog.Logs {
	if !p.Capabilities().MutatesData {
		copied := plog.NewLogs()
		logs.CopyTo(copied)
		logs = copied
	}
	var flagged, corrected int64
	for _, m := range annotations {
		for record, n := range events(logs.ResourceLogs().At(m.resource), byPlatform) {
			if m.flag {
				record.Attributes().PutBool(wsevent.ClockMisaligned, true)
				flagged += n
			}
			if m.correction != 0 && correct(record, m.correction) {
				corrected += n
			}
		}
	}
	p.telemetry.DriftFlaggedEvents.Add(ctx, flagged)
	p.telemetry.DriftCorrectedEvents.Add(ctx, corrected)
	return logs
}

// correct shifts the time of an event, unless it is already corrected: a refused batch is
// retried with its corrections.
func correct(record plog.LogRecord, by time.Duration) bool {
	if wslog.IsBlock(record) {
		return correctBlock(record, by)
	}
	at := int64(record.Timestamp())
	if at <= max(0, int64(by)) { // no time, or one that cannot be corrected
		return false
	}
	if _, done := record.Attributes().Get(wsevent.ClockOriginal); done {
		return false
	}
	record.Attributes().PutInt(wsevent.ClockOriginal, at)
	record.SetTimestamp(pcommon.Timestamp(at - int64(by)))
	return true
}

// correctBlock adds the correction of all events in a block.
func correctBlock(record plog.LogRecord, by time.Duration) bool {
	if _, done := record.Attributes().Get(wsevent.ClockCorrection); done {
		return false
	}
	record.Attributes().PutInt(wsevent.ClockCorrection, int64(by))
	record.SetTimestamp(pcommon.Timestamp(wslog.CorrectTime(int64(record.Timestamp()), int64(by)))) //nolint:gosec // it fits
	return true
}

func countEvents(resource plog.ResourceLogs) (n int64) {
	for _, size := range events(resource, func(plog.ScopeLogs) bool { return true }) {
		n += size
	}
	return n
}

// events are the records with events of the platform in some of a resource's scopes, and how
// many events each has: none, where they are in a block, too.
func events(resource plog.ResourceLogs, in func(plog.ScopeLogs) bool) iter.Seq2[plog.LogRecord, int64] {
	return func(yield func(plog.LogRecord, int64) bool) {
		for _, scope := range resource.ScopeLogs().All() {
			if !in(scope) {
				continue
			}
			one := int64(1)
			if isInBlocks(scope) {
				one = 0
			}
			for _, record := range scope.LogRecords().All() {
				if isEvent(record.EventName()) && !yield(record, one) || wslog.IsBlock(record) && !yield(record, wslog.BlockEvents(record)) {
					return
				}
			}
		}
	}
}
