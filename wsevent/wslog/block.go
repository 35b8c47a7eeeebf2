// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wslog

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
)

// PutBlock writes events, of which there is one at least, into a new log record. It
// encodes them in scratch, and returns that for the next block.
func PutBlock(record plog.LogRecord, events *eventblock.Builder, scratch []byte) []byte {
	record.SetEventName(wsevent.EventBlock)
	at, observed := events.First()
	record.SetTimestamp(pcommon.Timestamp(at))               //nolint:gosec // not negative
	record.SetObservedTimestamp(pcommon.Timestamp(observed)) //nolint:gosec // not negative
	attributes := record.Attributes()
	attributes.EnsureCapacity(2)
	attributes.PutInt(wsevent.BlockEvents, int64(events.Len()))
	attributes.PutInt(wsevent.BlockVersion, eventblock.Version)
	scratch = events.Append(scratch[:0])
	record.Body().SetEmptyBytes().FromRaw(scratch)
	return scratch
}

// IsBlock reports whether a record is an event block.
func IsBlock(record plog.LogRecord) bool { return record.EventName() == wsevent.EventBlock }

// OpenBlock opens an event block for reading. The error wraps one of eventblock's.
func OpenBlock(record plog.LogRecord, r *eventblock.Reader) error {
	if kind := record.Body().Type(); kind != pcommon.ValueTypeBytes {
		*r = eventblock.Reader{}
		return fmt.Errorf("event block: %w: body is %s, want bytes", eventblock.ErrMalformed, kind)
	}
	return r.Open(record.Body().Bytes().AsRaw())
}

// Correction returns what is to be taken from the times in an event block, in ns.
func Correction(record plog.LogRecord) int64 {
	by, _ := Int(record.Attributes(), wsevent.ClockCorrection)
	return by
}

// CorrectTime takes a correction from a time, both in ns, unless there is no time, or one
// that cannot be corrected.
func CorrectTime(at, by int64) int64 {
	if at <= max(0, by) {
		return at
	}
	return at - by
}

// CountEvents counts the records of a batch. An event block counts as the events in it, and
// their records do not count.
func CountEvents(logs plog.Logs) (n int64) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			if _, inBlocks := scope.Scope().Attributes().Get(wsevent.BlockCounted); inBlocks {
				continue
			}
			n += int64(scope.LogRecords().Len())
			for _, record := range scope.LogRecords().All() {
				if IsBlock(record) {
					n += BlockEvents(record) - 1
				}
			}
		}
	}
	return n
}

// BlockEvents returns the number of events of an event block as its attribute has it, 1
// where that is missing or out of range.
func BlockEvents(record plog.LogRecord) int64 {
	n, _ := Int(record.Attributes(), wsevent.BlockEvents)
	return min(max(n, 1), eventblock.MaxEvents)
}
