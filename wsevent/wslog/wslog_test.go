// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wslog

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func aWindow() wsevent.Window {
	return wsevent.Window{
		Tags:              wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"},
		Start:             1_715_623_400_000,
		End:               1_715_623_410_000,
		Step:              9 * time.Second,
		ActiveConnections: 200,
		Counts: wsevent.Counts{
			MessagesSent: 1, MessagesReceived: 2, MessagesUnsized: 1, PayloadBytes: 3, ConnectionsOpened: 4, ConnectionsClosed: 5,
			ConnectionsDropped: 6, ClosesUnclassified: 2, BackpressureEvents: 7, ProtocolViolations: 8, LateEvents: 9,
		},
		ClockSkew:      -1.5,
		ClockSkewKnown: true,
		Complete:       true,
		Since:          1_715_623_300_000,
		Totals: wsevent.Counts{
			MessagesSent: 11, MessagesReceived: 12, MessagesUnsized: 11, PayloadBytes: 13, ConnectionsOpened: 14, ConnectionsClosed: 15,
			ConnectionsDropped: 16, ClosesUnclassified: 3, BackpressureEvents: 17, ProtocolViolations: 18, LateEvents: 19,
		},
	}
}

func encoded(window wsevent.Window) plog.LogRecord {
	record := plog.NewLogRecord()
	EncodeWindow(record, &window)
	return record
}

// The body is a contract: other people's dashboards and queries read it.
func TestTheBodyOfAWindowRecord(t *testing.T) {
	t.Parallel()
	record := encoded(aWindow())
	assert.Equal(t, "ws_throughput", record.EventName())
	assert.Equal(t, pcommon.Timestamp(1_715_623_410_000_000_000), record.Timestamp())
	body, err := json.Marshal(record.Body().AsRaw())
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"metric": "ws_throughput",
		"tags": {"region": "us-east-1", "tenant_id": "acme_corp", "channel_type": "webmessaging"},
		"fields": {
			"active_connections": 200, "messages_per_second": 0.3, "payload_bytes_total": 3, "drop_rate_percent": 3,
			"messages_sent": 1, "messages_received": 2, "messages_unsized": 1, "connections_opened": 4, "connections_closed": 5,
			"connections_dropped": 6, "backpressure_events": 7, "protocol_violations": 8, "late_events": 9,
			"clock_skew_ms": -1.5, "complete": true
		},
		"totals": {
			"since": 1715623300000, "messages_sent": 11, "messages_received": 12, "messages_unsized": 11, "payload_bytes": 13,
			"connections_opened": 14, "connections_closed": 15, "connections_dropped": 16,
			"backpressure_events": 17, "protocol_violations": 18, "late_events": 19
		},
		"timestamp": 1715623400000, "window_end": 1715623410000, "step_ms": 9000
	}`, string(body))
}

func TestASkewThatNobodyMeasuredIsNoZero(t *testing.T) {
	t.Parallel()
	window := aWindow()
	window.ClockSkewKnown = false
	decoded, err := DecodeRecord(encoded(window))
	require.NoError(t, err)
	skew, ok := decoded.Fields.Get(wsevent.FieldClockSkew)
	require.True(t, ok)
	assert.Equal(t, pcommon.ValueTypeEmpty, skew.Type())
	_, ok = Number(decoded.Fields, wsevent.FieldClockSkew)
	assert.False(t, ok)
}

func TestTagsComeBack(t *testing.T) {
	t.Parallel()
	for _, tags := range []wsevent.Tags{aWindow().Tags, {Overflow: true}, {TenantID: "acme_corp", Overflow: true}} {
		window := aWindow()
		window.Tags = tags
		decoded, err := DecodeRecord(encoded(window))
		require.NoError(t, err)
		assert.Equal(t, tags, decoded.Tags)
		assert.Equal(t, window.Since, decoded.Since)
	}
	assert.Equal(t, wsevent.Tags{TenantID: wsevent.Unknown, Region: wsevent.Unknown, ChannelType: wsevent.Unknown}, TagsOf(pcommon.NewMap()))
}

// Null where nothing is known, a number (0 too) where something is.
func TestWindow_UnknownValueIsNull(t *testing.T) {
	t.Parallel()
	payload, drops := []string{wsevent.FieldPayloadBytesTotal}, []string{wsevent.FieldDropRatePercent, wsevent.FieldConnectionsDropped}
	for name, test := range map[string]struct {
		totals wsevent.Counts
		absent []string
	}{
		"nothing happened":                 {wsevent.Counts{}, nil},
		"no message has a size":            {wsevent.Counts{MessagesSent: 2, MessagesReceived: 1, MessagesUnsized: 3}, payload},
		"some message had a size":          {wsevent.Counts{MessagesSent: 2, MessagesReceived: 1, MessagesUnsized: 2}, nil},
		"a message of no bytes":            {wsevent.Counts{MessagesSent: 1}, nil},
		"no close is classified":           {wsevent.Counts{ConnectionsClosed: 2, ClosesUnclassified: 2}, drops},
		"some close was classified":        {wsevent.Counts{ConnectionsClosed: 2, ClosesUnclassified: 1}, nil},
		"only opened":                      {wsevent.Counts{ConnectionsOpened: 2}, nil},
		"neither a size nor a classifying": {wsevent.Counts{MessagesSent: 1, MessagesUnsized: 1, ConnectionsClosed: 1, ClosesUnclassified: 1}, append(drops, payload...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decoded, err := DecodeRecord(encoded(wsevent.Window{End: 10_000, Step: 9 * time.Second, ActiveConnections: 2, Totals: test.totals}))
			require.NoError(t, err)
			for _, key := range append(payload, append(drops, wsevent.FieldMessagesSent, wsevent.FieldMessagesUnsized)...) {
				value, present := decoded.Fields.Get(key)
				require.True(t, present, key)
				assert.Equal(t, slices.Contains(test.absent, key), value.Type() == pcommon.ValueTypeEmpty, key)
			}
			for field, total := range map[string]string{
				wsevent.FieldPayloadBytesTotal: wsevent.TotalPayloadBytes, wsevent.FieldConnectionsDropped: wsevent.FieldConnectionsDropped,
			} {
				_, known := Int(decoded.Totals, total)
				assert.Equal(t, !slices.Contains(test.absent, field), known, total)
			}
		})
	}
}

func TestDecodeRecord_StepOutOfRangeIsAbsent(t *testing.T) {
	t.Parallel()
	for step, want := range map[int64]int64{9_000: 9_000, 10_000: 10_000, 0: 0, -1: 0, 10_001: 0} {
		window := aWindow()
		window.Step = time.Duration(step) * time.Millisecond
		decoded, err := DecodeRecord(encoded(window))
		require.NoError(t, err)
		assert.Equal(t, want, decoded.Step.Milliseconds())
	}
}

func TestInt_DoubleOutOfRange(t *testing.T) {
	t.Parallel()
	for double, want := range map[float64]int64{1e300: math.MaxInt64, -1e300: math.MinInt64, 512: 512, math.Inf(1): math.MaxInt64} {
		m := pcommon.NewMap()
		m.PutDouble("n", double)
		got, ok := Int(m, "n")
		assert.True(t, ok)
		assert.Equal(t, want, got)
	}
	m := pcommon.NewMap()
	m.PutDouble("n", math.NaN())
	_, ok := Int(m, "n")
	assert.False(t, ok)
}

// Drops of closes without a channel have no active connections to be a share of.
func TestWindow_DropRateWithoutActiveConnectionsIsNull(t *testing.T) {
	t.Parallel()
	w := wsevent.Window{Counts: wsevent.Counts{ConnectionsClosed: 2, ConnectionsDropped: 2}, Totals: wsevent.Counts{ConnectionsClosed: 2, ConnectionsDropped: 2}}
	record := plog.NewLogRecord()
	EncodeWindow(record, &w)
	fields, ok := record.Body().Map().Get(wsevent.KeyFields)
	require.True(t, ok)
	rate, ok := fields.Map().Get(wsevent.FieldDropRatePercent)
	require.True(t, ok)
	require.Equal(t, pcommon.ValueTypeEmpty, rate.Type())
}

func TestAlertBody(t *testing.T) {
	t.Parallel()
	object := pcommon.NewValueMap()
	object.Map().PutStr("a", "b")
	for _, one := range []struct {
		body pcommon.Value
		want any
	}{
		{object, map[string]any{"a": "b"}},
		{pcommon.NewValueStr(`{"a":"b"}`), map[string]any{"a": "b"}},
		{pcommon.NewValueStr(`{"a":`), `{"a":`},
		{pcommon.NewValueInt(3), int64(3)},
		{pcommon.NewValueEmpty(), nil},
	} {
		assert.Equal(t, one.want, AlertBody(one.body))
	}
}
