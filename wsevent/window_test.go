// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func aWindow() Window {
	return Window{
		Tags:              Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"},
		Start:             1_715_623_400_000,
		End:               1_715_623_410_000,
		ActiveConnections: 200,
		Counts: Counts{
			MessagesSent: 1, MessagesReceived: 2, PayloadBytes: 3, ConnectionsOpened: 4, ConnectionsClosed: 5,
			ConnectionsDropped: 6, BackpressureEvents: 7, ProtocolViolations: 8, LateEvents: 9,
		},
		ClockSkew:      -1.5,
		ClockSkewKnown: true,
		Complete:       true,
		Since:          1_715_623_300_000,
		Totals: Counts{
			MessagesSent: 11, MessagesReceived: 12, PayloadBytes: 13, ConnectionsOpened: 14, ConnectionsClosed: 15,
			ConnectionsDropped: 16, BackpressureEvents: 17, ProtocolViolations: 18, LateEvents: 19,
		},
	}
}

func encoded(window Window) plog.LogRecord {
	record := plog.NewLogRecord()
	window.Encode(record)
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
			"messages_sent": 1, "messages_received": 2, "connections_opened": 4, "connections_closed": 5,
			"connections_dropped": 6, "backpressure_events": 7, "protocol_violations": 8, "late_events": 9,
			"clock_skew_ms": -1.5, "complete": true
		},
		"totals": {
			"since": 1715623300000, "messages_sent": 11, "messages_received": 12, "payload_bytes": 13,
			"connections_opened": 14, "connections_closed": 15, "connections_dropped": 16,
			"backpressure_events": 17, "protocol_violations": 18, "late_events": 19
		},
		"timestamp": 1715623400000, "window_end": 1715623410000
	}`, string(body))
}

func TestASkewThatNobodyMeasuredIsNoZero(t *testing.T) {
	t.Parallel()
	window := aWindow()
	window.ClockSkewKnown = false
	decoded, err := DecodeRecord(encoded(window))
	require.NoError(t, err)
	skew, ok := decoded.Fields.Get(FieldClockSkew)
	require.True(t, ok)
	assert.Equal(t, pcommon.ValueTypeEmpty, skew.Type())
	_, ok = Number(decoded.Fields, FieldClockSkew)
	assert.False(t, ok)
}

func TestNoConnectionsNoDropRate(t *testing.T) {
	t.Parallel()
	window := Window{Start: 0, End: 10_000, Counts: Counts{ConnectionsDropped: 3}}
	assert.Zero(t, window.DropRatePercent())
}

func TestTagsComeBack(t *testing.T) {
	t.Parallel()
	for _, tags := range []Tags{aWindow().Tags, {Overflow: true}} {
		window := aWindow()
		window.Tags = tags
		decoded, err := DecodeRecord(encoded(window))
		require.NoError(t, err)
		assert.Equal(t, tags, decoded.Tags)
		assert.Equal(t, window.Since, decoded.Since)
	}
	assert.Equal(t, Tags{TenantID: Unknown, Region: Unknown, ChannelType: Unknown}, TagsOf(pcommon.NewMap()))
}

func TestCountsAdd(t *testing.T) {
	t.Parallel()
	counts := aWindow().Counts
	counts.Add(&Counts{1, 1, 1, 1, 1, 1, 1, 1, 1})
	assert.Equal(t, Counts{2, 3, 4, 5, 6, 7, 8, 9, 10}, counts)
}
