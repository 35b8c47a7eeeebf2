// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wslog

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
)

func aBlock(events int) plog.LogRecord {
	var b eventblock.Builder
	for i := range events {
		b.Add(&eventblock.Event{Kind: eventblock.MessageSend, Time: int64(1000 + i), Observed: int64(2000 + i), Sized: true, Size: int64(i)})
	}
	record := plog.NewLogRecord()
	PutBlock(record, &b, nil)
	return record
}

func TestPutBlock(t *testing.T) {
	t.Parallel()
	record := aBlock(3)
	assert.True(t, IsBlock(record))
	assert.Equal(t, "event.block", record.EventName())
	assert.Equal(t, pcommon.Timestamp(1000), record.Timestamp())
	assert.Equal(t, pcommon.Timestamp(2000), record.ObservedTimestamp())
	assert.Equal(t, map[string]any{"ccaas.block.events": int64(3), "ccaas.block.version": int64(1)}, record.Attributes().AsRaw())

	var r eventblock.Reader
	require.NoError(t, OpenBlock(record, &r))
	var sizes []int64
	for e := (eventblock.Event{}); r.Next(&e); {
		sizes = append(sizes, e.Size)
	}
	require.NoError(t, r.Err())
	assert.Equal(t, []int64{0, 1, 2}, sizes)
}

func TestOpenBlock_OtherBody(t *testing.T) {
	t.Parallel()
	record := aBlock(1)
	record.Body().SetStr("x")
	var r eventblock.Reader
	err := OpenBlock(record, &r)
	require.ErrorIs(t, err, eventblock.ErrMalformed)
	require.ErrorContains(t, err, "body is Str, want bytes")
	assert.False(t, r.Next(&eventblock.Event{}))
}

func TestCountEvents(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().SetEventName(wsevent.MessageSend)
	aBlock(7).CopyTo(records.AppendEmpty())
	assert.Equal(t, int64(8), CountEvents(logs))
	for value, want := range map[int64]int64{0: 1, -5: 1, math.MaxInt64: eventblock.MaxEvents, 9: 9} {
		record := aBlock(1)
		record.Attributes().PutInt(wsevent.BlockEvents, value)
		assert.Equal(t, want, BlockEvents(record))
	}
}

func TestCorrectTime(t *testing.T) {
	t.Parallel()
	assert.Equal(t, int64(90), CorrectTime(100, 10))
	assert.Equal(t, int64(110), CorrectTime(100, -10))
	assert.Equal(t, int64(100), CorrectTime(100, 100), "a time that cannot be corrected")
	assert.Equal(t, int64(0), CorrectTime(0, -100), "no time")
	record := aBlock(1)
	assert.Zero(t, Correction(record))
	record.Attributes().PutInt(wsevent.ClockCorrection, -5)
	assert.Equal(t, int64(-5), Correction(record))
}
