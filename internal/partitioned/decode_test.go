// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// newEngine returns an engine with the metrics of its telemetry.
func newEngine(t testing.TB, encoding string, next consumer.Logs) (*Engine, *componenttest.Telemetry) {
	t.Helper()
	telemetry := componenttest.NewTelemetry()
	set := receivertest.NewNopSettings(component.MustNewType("test"))
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, Transport: "test", ReceiverCreateSettings: set})
	require.NoError(t, err)
	meter := set.MeterProvider.Meter("test")
	var instruments Telemetry
	instruments.Messages, err = meter.Int64Counter("messages")
	require.NoError(t, err)
	instruments.Refused, err = meter.Int64Counter("refused")
	require.NoError(t, err)
	instruments.Misplaced, err = meter.Int64Counter("misplaced")
	require.NoError(t, err)
	return New(Settings{
		Component: "test", Encoding: encoding, Placement: "every producer has the stream_partitioner", Next: next, Report: report, Telemetry: instruments,
		Logger: zap.NewNop(),
	}), telemetry
}

// counted returns the sum of a metric.
func counted(t testing.TB, telemetry *componenttest.Telemetry, name string) (n int64) {
	t.Helper()
	metric, err := telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		n += point.Value
	}
	return n
}

// named is a log of a number of partitions, to be decoded only.
type named struct {
	Log
	partitions int
}

func (named) String() string { return "ccaas_events/7" }

func (n named) Place(key []byte) int { return len(key) % n.partitions }

// decoding returns a decoder of a partition, its own telemetry and its log.
func decoding(t testing.TB, encoding string, number int32, partitions int) (*decoder, *componenttest.Telemetry, *observer.ObservedLogs) {
	t.Helper()
	engine, telemetry := newEngine(t, encoding, consumertest.NewNop())
	core, logs := observer.New(zap.InfoLevel)
	return newDecoder(&reader{engine: engine, number: number, logger: zap.New(core)}, named{partitions: partitions}), telemetry, logs
}

func sample(t testing.TB, tenant string) plog.Logs {
	t.Helper()
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{TenantID: tenant, Region: "us-east-1", ChannelType: "voice"})
	resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName(wsevent.MessageSend)
	return logs
}

func TestDecode(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for encoding, marshaler := range map[string]plog.Marshaler{OTLPProto: &plog.ProtoMarshaler{}, OTLPJSON: &plog.JSONMarshaler{}} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			good, err := marshaler.MarshalLogs(sample(t, "acme_corp"))
			require.NoError(t, err)
			d, telemetry, logs := decoding(t, encoding, 0, 1)
			got, written := d.decode(t.Context(), []Message{
				{Value: good, Written: noon.Add(time.Second)},
				{Value: []byte("neither one nor the other"), Offset: 7, Written: noon},
				{Value: good, Written: noon.Add(2 * time.Second)},
				{Value: []byte("\x0a\xff"), Written: noon.Add(3 * time.Second)},
			})
			assert.Equal(t, 2, got.LogRecordCount())
			assert.Equal(t, noon.Add(3*time.Second), written)
			assert.Equal(t, pcommon.NewTimestampFromTime(noon.Add(2*time.Second)), got.ResourceLogs().At(1).ScopeLogs().At(0).LogRecords().At(0).ObservedTimestamp())
			require.Equal(t, 1, logs.Len(), "emitted once")
			assert.Equal(t, int64(7), logs.All()[0].ContextMap()["offset"])
			assert.Equal(t, int64(4), counted(t, telemetry, "messages"))
			assert.Equal(t, int64(2), counted(t, telemetry, "refused"))
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
		d, telemetry, logs := decoding(t, OTLPProto, number, partitions)
		d.decode(t.Context(), []Message{{Value: message}, {Value: message}})
		if logs.Len() == 0 {
			continue
		}
		misplaced++
		assert.Equal(t, 1, logs.Len(), "emitted once")
		assert.Equal(t, "acme_corp", logs.All()[0].ContextMap()["tenant_id"])
		assert.Equal(t, int64(2), counted(t, telemetry, "misplaced"))
	}
	assert.Equal(t, int64(partitions-1), misplaced, "it belongs to one of them")
}

func TestDecode_ViolationIsKept(t *testing.T) {
	t.Parallel()
	good, err := (&plog.ProtoMarshaler{}).MarshalLogs(sample(t, "acme_corp"))
	require.NoError(t, err)
	d, _, _ := decoding(t, OTLPProto, 0, 1)
	d.reader.engine.Violations = true
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	got, _ := d.decode(t.Context(), []Message{
		{Value: good}, {Value: []byte("no OTLP \xff" + strings.Repeat("x", 5_000)), Written: at}, {Err: errors.New("compressed"), Written: at}, {Value: good},
	})
	require.Equal(t, 4, got.ResourceLogs().Len())
	resource := got.ResourceLogs().At(1)
	assert.Equal(t, wsevent.Tags{TenantID: "unknown", Region: "ccaas_events/7", ChannelType: "unknown"}, wslog.TagsOf(resource.Resource().Attributes()))
	record := resource.ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, wsevent.ProtocolViolation, record.EventName())
	assert.Equal(t, pcommon.NewTimestampFromTime(at), record.Timestamp())
	assert.True(t, strings.HasPrefix(record.Body().Str(), "no OTLP \uFFFDxxx"))
	assert.LessOrEqual(t, len(record.Body().Str()), maxViolationBody+len("\uFFFD"))
	reason, _ := record.Attributes().Get(wsevent.ViolationReason)
	assert.Equal(t, "undecodable_message", reason.Str())
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
	d, _, _ := decoding(b, OTLPProto, 0, 1)
	messages := []Message{{Value: message}}
	b.ReportAllocs()
	for b.Loop() {
		d.decode(b.Context(), messages)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}
