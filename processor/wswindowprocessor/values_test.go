// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

func attributesOf(logs plog.Logs) pcommon.Map {
	return logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes()
}

// Of what an event does not say, or says in a way that makes no sense, nothing is known.
func TestBatch_UnknownValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event   string
		change  func(pcommon.Map)
		bytes   int64
		unknown bool
	}{
		"a size":             {wsevent.MessageSend, func(pcommon.Map) {}, 512, false},
		"a double":           {wsevent.MessageSend, func(m pcommon.Map) { m.PutDouble(wsevent.PayloadSize, 12) }, 12, false},
		"no bytes":           {wsevent.MessageSend, func(m pcommon.Map) { m.PutInt(wsevent.PayloadSize, 0) }, 0, false},
		"no size":            {wsevent.MessageReceive, func(m pcommon.Map) { m.Remove(wsevent.PayloadSize) }, 0, true},
		"a size below 0":     {wsevent.MessageSend, func(m pcommon.Map) { m.PutInt(wsevent.PayloadSize, -1) }, 0, true},
		"a size as text":     {wsevent.MessageSend, func(m pcommon.Map) { m.PutStr(wsevent.PayloadSize, "x") }, 0, true},
		"a classified close": {wsevent.ConnectionClose, func(pcommon.Map) {}, 0, false},
		"a close that says nothing": {
			wsevent.ConnectionClose, func(m pcommon.Map) { m.Remove(wsevent.CloseAbnormal) }, 0, true,
		},
		"a close classified as text": {
			wsevent.ConnectionClose, func(m pcommon.Map) { m.PutStr(wsevent.CloseAbnormal, "no") }, 0, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := event(test.event, "a")
			test.change(attributesOf(logs))
			b := new(batch)
			b.read(logs, 0)
			require.Len(t, b.events, 1)
			assert.Equal(t, test.bytes, b.events[0].Bytes)
			assert.Equal(t, test.unknown, b.events[0].Unknown)
			assert.Equal(t, test.event == wsevent.ConnectionClose && !test.unknown, b.events[0].Abnormal)
			assert.Equal(t, test.event == wsevent.ConnectionClose, b.events[0].Kind == window.ConnectionClose)
		})
	}
}

func TestBatch_ReconstructedEvents(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event  string
		change func(m pcommon.Map, at int64)
		want   window.Reconstructed
	}{
		"received":           {wsevent.ConnectionOpen, func(pcommon.Map, int64) {}, window.Received},
		"false":              {wsevent.ConnectionOpen, func(m pcommon.Map, _ int64) { m.PutBool(wsevent.EventReconstructed, false) }, window.Received},
		"text":               {wsevent.ConnectionOpen, func(m pcommon.Map, _ int64) { m.PutStr(wsevent.EventReconstructed, "true") }, window.Received},
		"open, since unsaid": {wsevent.ConnectionOpen, func(m pcommon.Map, _ int64) { m.PutBool(wsevent.EventReconstructed, true) }, window.Present},
		"open before": {wsevent.ConnectionOpen, func(m pcommon.Map, at int64) {
			m.PutBool(wsevent.EventReconstructed, true)
			m.PutInt(wsevent.ChannelOpened, at-1)
		}, window.Present},
		"opened in a gap, by JSON": {wsevent.ConnectionOpen, func(m pcommon.Map, at int64) {
			m.PutBool(wsevent.EventReconstructed, true)
			m.PutDouble(wsevent.ChannelOpened, float64(at))
		}, window.Past},
		"closed":    {wsevent.ConnectionClose, func(m pcommon.Map, _ int64) { m.PutBool(wsevent.EventReconstructed, true) }, window.Past},
		"a message": {wsevent.MessageSend, func(m pcommon.Map, _ int64) { m.PutBool(wsevent.EventReconstructed, true) }, window.Received},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := event(test.event, "a")
			at := int64(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Timestamp() / 1e6)
			test.change(attributesOf(logs), at)
			b := new(batch)
			b.read(logs, 0)
			require.Len(t, b.events, 1)
			assert.Equal(t, test.want, b.events[0].Reconstructed)
		})
	}
}

// A gap counts as healed where no more than its messages stay unknown.
func TestBatch_HealedGaps(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event   string
		unknown []any
		cause   string
		want    bool
	}{
		"healed":             {wsevent.StreamHealed, []any{wsevent.HealedMessages}, "", false},
		"of an older sender": {wsevent.StreamHealed, nil, "", false},
		"in part":            {wsevent.StreamHealed, []any{wsevent.HealedMessages, "others"}, "", true},
		"a gap":              {wsevent.StreamGap, nil, "silence", false},
		"the state at start": {wsevent.StreamGap, nil, wsevent.CauseInitialState, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := event(test.event, "a")
			attributes := attributesOf(logs)
			attributes.PutInt(wsevent.GapStart, 1_000)
			attributes.PutInt(wsevent.GapEnd, 2_000)
			attributes.PutStr(wsevent.StreamCause, test.cause)
			if test.unknown != nil {
				require.NoError(t, attributes.PutEmptySlice(wsevent.HealedUnknown).FromRaw(test.unknown))
			}
			b := new(batch)
			b.read(logs, 0)
			require.Len(t, b.events, 1)
			assert.Equal(t, test.want, b.events[0].Unknown)
		})
	}
}

func TestWindow_SaturatedSumIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logged := observer.New(zap.ErrorLevel)
		set := processortest.NewNopSettings(metadata.Type)
		set.Logger = zap.New(core)
		sink := new(consumertest.LogsSink)
		p, err := NewFactory().CreateLogs(t.Context(), set, createDefaultConfig(), sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		for range 3 {
			logs := event(wsevent.MessageSend, "a")
			attributesOf(logs).PutInt(wsevent.PayloadSize, math.MaxInt64)
			require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		found := windows(t, sink)
		require.GreaterOrEqual(t, len(found), 3)
		for _, w := range found {
			total, known := wslog.Int(w.Totals, wsevent.TotalPayloadBytes)
			assert.True(t, known)
			assert.Equal(t, int64(math.MaxInt64), total)
		}
		require.Equal(t, 1, logged.Len())
		assert.Contains(t, logged.All()[0].Message, "A sum has reached its maximum")
		require.NoError(t, p.Shutdown(t.Context()))
	})
}
