// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// decoding returns a decoder of a partition and its own telemetry.
func decoding(t testing.TB, encoding string, number int32, partitions int) (*decoder, *componenttest.Telemetry, *observer.ObservedLogs) {
	t.Helper()
	telemetry := componenttest.NewTelemetry()
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	config := createDefaultConfig().(*Config)
	config.Encoding = encoding
	r, err := newReceiver(set, config, consumertest.NewNop())
	require.NoError(t, err)
	core, logs := observer.New(zap.InfoLevel)
	return newDecoder(&partitionReader{receiver: r, number: number, logger: zap.New(core)}, partitions), telemetry, logs
}

func sample(t testing.TB, tenant string) plog.Logs {
	t.Helper()
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{TenantID: tenant, Region: "us-east-1", ChannelType: "voice"})
	resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName(wsevent.MessageSend)
	return logs
}

func sum(n int64, attributes ...attribute.KeyValue) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(attributes...)}}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for encoding, marshaler := range map[string]plog.Marshaler{otlpProto: &plog.ProtoMarshaler{}, otlpJSON: &plog.JSONMarshaler{}} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			good, err := marshaler.MarshalLogs(sample(t, "acme_corp"))
			require.NoError(t, err)
			d, telemetry, logs := decoding(t, encoding, 0, 1)
			got, written := d.decode(t.Context(), []*kgo.Record{
				{Value: good, Timestamp: noon.Add(time.Second)},
				{Value: []byte("neither one nor the other"), Offset: 7, Timestamp: noon},
				{Value: good, Timestamp: noon.Add(2 * time.Second)},
				{Value: []byte("\x0a\xff"), Timestamp: noon.Add(3 * time.Second)},
			})
			assert.Equal(t, 2, got.LogRecordCount())
			assert.Equal(t, noon.Add(3*time.Second), written)
			assert.Equal(t, pcommon.NewTimestampFromTime(noon.Add(2*time.Second)), got.ResourceLogs().At(1).ScopeLogs().At(0).LogRecords().At(0).ObservedTimestamp())
			require.Equal(t, 1, logs.Len(), "emitted once")
			assert.Equal(t, int64(7), logs.All()[0].ContextMap()["offset"])
			metadatatest.AssertEqualCcaasKafkaMessages(t, telemetry, sum(4), metricdatatest.IgnoreTimestamp())
			metadatatest.AssertEqualCcaasKafkaRefusedMessages(t, telemetry, sum(2, attribute.String("reason", "undecodable")), metricdatatest.IgnoreTimestamp())
		})
	}
}

func TestDecode_StreamInAnotherPartitionIsCounted(t *testing.T) {
	t.Parallel()
	const partitions = 4
	misplaced := int64(0)
	message, err := (&plog.ProtoMarshaler{}).MarshalLogs(sample(t, "acme_corp"))
	require.NoError(t, err)
	for number := range int32(partitions) {
		d, telemetry, logs := decoding(t, otlpProto, number, partitions)
		d.decode(t.Context(), []*kgo.Record{{Value: message, Partition: number}, {Value: message, Partition: number}})
		if logs.Len() == 0 {
			continue
		}
		misplaced++
		assert.Equal(t, 1, logs.Len(), "emitted once")
		assert.Equal(t, "acme_corp", logs.All()[0].ContextMap()["tenant_id"])
		metadatatest.AssertEqualCcaasKafkaMisplacedMessages(t, telemetry, sum(2), metricdatatest.IgnoreTimestamp())
	}
	assert.Equal(t, int64(partitions-1), misplaced, "it belongs to one of them")
}

func TestArrival(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	assert.Equal(t, now, arrival(now, ago(300*time.Millisecond), ago(5*time.Second)), "no backlog")
	assert.Equal(t, ago(5*time.Second), arrival(now, ago(4*time.Second), ago(5*time.Second)), "a backlog")
	assert.Equal(t, ago(time.Hour), arrival(now, time.Time{}, ago(time.Hour)), "end offset unknown")
	assert.Equal(t, now, arrival(now, time.Time{}, ago(-time.Minute)), "the producer's clock is ahead")
}

func BenchmarkDecode(b *testing.B) {
	logs := sample(b, "acme_corp")
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	for range 99 {
		records.At(0).CopyTo(records.AppendEmpty())
	}
	message, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(b, err)
	d, _, _ := decoding(b, otlpProto, 0, 1)
	messages := []*kgo.Record{{Value: message}}
	b.ReportAllocs()
	for b.Loop() {
		d.decode(b.Context(), messages)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}
