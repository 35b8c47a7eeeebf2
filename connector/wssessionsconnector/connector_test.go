// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wssessionsconnector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

var acme = wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"}

const begin wsevent.UnixMilli = 1_715_623_400_000

func span(n byte) wsevent.SpanContext {
	return wsevent.SpanContext{TraceID: wsevent.TraceID{n, 15: n}, SpanID: wsevent.SpanID{n, 7: n}}
}

func aSession() wsevent.Session {
	return wsevent.Session{
		Tags: acme, SpanContext: span(1), ID: span(1).TraceID, ChannelID: "c-1", UserID: "0badc0de", Pseudonym: true,
		Start: begin, End: begin + 4_000, Outcome: wsevent.OutcomeDropped, CloseCode: 1006, CloseCodeKnown: true, CloseReason: "transport.failure",
		MessagesSent: 3, MessagesReceived: 2, PayloadBytes: 500, PayloadKnown: true, FirstReply: 1500 * time.Millisecond, FirstReplyKnown: true,
		Complete: true, Sampled: true, TraceState: "ot=th:8", ReconnectOf: span(9),
		Events: []wsevent.SessionEvent{{Offset: 0, Type: wsevent.ConnectionOpen}, {Offset: 4 * time.Second, Type: wsevent.ConnectionClose}},
	}
}

func records(sessions ...wsevent.Session) plog.Logs {
	logs := plog.NewLogs()
	for i := range sessions {
		resource := logs.ResourceLogs().AppendEmpty()
		wslog.PutTags(resource.Resource().Attributes(), sessions[i].Tags)
		wslog.EncodeSession(resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), &sessions[i])
	}
	return logs
}

func toTraces(t *testing.T, tel *componenttest.Telemetry, next consumer.Traces, logs plog.Logs) error {
	t.Helper()
	set := connectortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	c, err := NewFactory().CreateLogsToTraces(t.Context(), set, createDefaultConfig(), next)
	require.NoError(t, err)
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, c.Shutdown(t.Context())) }()
	return c.ConsumeLogs(t.Context(), logs)
}

func tracesOf(t *testing.T, logs plog.Logs) []ptrace.Span {
	t.Helper()
	sink := new(consumertest.TracesSink)
	require.NoError(t, toTraces(t, componenttest.NewTelemetry(), sink, logs))
	var spans []ptrace.Span
	for _, traces := range sink.AllTraces() {
		for _, resource := range traces.ResourceSpans().All() {
			assert.Equal(t, acme, wslog.TagsOf(resource.Resource().Attributes()))
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					spans = append(spans, span)
				}
			}
		}
	}
	return spans
}

func TestTraces_RootSpanOfASession(t *testing.T) {
	t.Parallel()
	unsampled := aSession()
	unsampled.Sampled = false
	spans := tracesOf(t, records(aSession(), unsampled))
	require.Len(t, spans, 1, "a session that is not sampled has no trace")
	s := spans[0]
	assert.Equal(t, "ws.session", s.Name())
	assert.Equal(t, ptrace.SpanKindServer, s.Kind())
	assert.Equal(t, pcommon.TraceID(span(1).TraceID), s.TraceID())
	assert.Equal(t, pcommon.SpanID(span(1).SpanID), s.SpanID())
	assert.True(t, s.ParentSpanID().IsEmpty())
	assert.Equal(t, "ot=th:8", s.TraceState().AsRaw())
	assert.Equal(t, pcommon.Timestamp(begin*1e6), s.StartTimestamp())
	assert.Equal(t, pcommon.Timestamp((begin+4_000)*1e6), s.EndTimestamp())
	assert.Equal(t, ptrace.StatusCodeError, s.Status().Code())
	assert.Equal(t, map[string]any{
		"tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "webmessaging",
		"network.protocol.name": "websocket", "session.id": "01000000000000000000000000000001", "session.previous_id": "09000000000000000000000000000009",
		"ccaas.channel.id": "c-1", "messaging.message.conversation_id": "c-1", "enduser.pseudo.id": "0badc0de",
		"ccaas.session.outcome": "dropped", "ccaas.close.code": int64(1006), "ccaas.close.reason": "transport.failure", "error.type": "transport.failure",
		"ccaas.session.complete": true, "ccaas.session.messages.sent": int64(3), "ccaas.session.messages.received": int64(2),
		"ccaas.session.payload.size": int64(500), "ccaas.session.first_reply": 1.5,
	}, s.Attributes().AsRaw())
	require.Equal(t, 2, s.Events().Len())
	assert.Equal(t, "connection.close", s.Events().At(1).Name())
	assert.Equal(t, pcommon.Timestamp((begin+4_000)*1e6), s.Events().At(1).Timestamp())
	require.Equal(t, 1, s.Links().Len())
	assert.Equal(t, pcommon.TraceID(span(9).TraceID), s.Links().At(0).TraceID())
	assert.Equal(t, map[string]any{"ccaas.link.type": "reconnect"}, s.Links().At(0).Attributes().AsRaw())
}

func TestTraces_SegmentIsItsOwnTrace(t *testing.T) {
	t.Parallel()
	s := aSession()
	s.Outcome, s.ReconnectOf, s.End = wsevent.OutcomeClosed, wsevent.SpanContext{}, begin+7_300_000
	s.Segmented, s.Segment, s.SegmentStart, s.SpanContext = true, 2, begin+7_200_000, span(3)
	s.Earlier = []wsevent.SpanContext{span(1), span(2)}
	expired := s
	expired.Outcome, expired.End = wsevent.OutcomeExpired, begin+4_000
	spans := tracesOf(t, records(s, expired))
	require.Len(t, spans, 2)
	assert.Equal(t, pcommon.TraceID(span(3).TraceID), spans[0].TraceID())
	assert.Equal(t, pcommon.Timestamp((begin+7_200_000)*1e6), spans[0].StartTimestamp())
	assert.Zero(t, spans[0].Events().Len(), "events of earlier segments are in their traces")
	assert.Equal(t, ptrace.StatusCodeUnset, spans[0].Status().Code())
	assert.Equal(t, 2, spans[0].Links().Len())
	assert.Equal(t, spans[1].StartTimestamp(), spans[1].EndTimestamp(), "its latest event is of an earlier segment")
}

func TestTraces_LargestIsBelowOneMegabyte(t *testing.T) {
	t.Parallel()
	s := aSession()
	s.ChannelID, s.UserID, s.CloseReason = strings.Repeat("c", 1024), strings.Repeat("u", 1024), strings.Repeat("r", 1024)
	s.Tags = wsevent.Tags{TenantID: strings.Repeat("t", 1024), Region: strings.Repeat("r", 1024), ChannelType: strings.Repeat("c", 1024)}
	for range 100_000 {
		s.Events = append(s.Events, wsevent.SessionEvent{Offset: time.Second, Type: wsevent.ConnectionClose})
		s.Earlier = append(s.Earlier, span(4))
	}
	sink := new(consumertest.TracesSink)
	require.NoError(t, toTraces(t, componenttest.NewTelemetry(), sink, records(s)))
	size := (&ptrace.ProtoMarshaler{}).TracesSize(sink.AllTraces()[0])
	assert.Less(t, size, 1<<20)
}

func TestTraces_BadRecordIsCounted(t *testing.T) {
	t.Parallel()
	logs := records(aSession(), aSession())
	logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Map().Remove("start")
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName("message.send")
	tel := componenttest.NewTelemetry()
	sink := new(consumertest.TracesSink)
	require.NoError(t, toTraces(t, tel, sink, logs))
	assert.Equal(t, 1, sink.SpanCount())
	metadatatest.AssertEqualWsSessionsBadRecords(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
}

func TestTraces_RefusalIsReturned(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, toTraces(t, componenttest.NewTelemetry(), consumertest.NewErr(assert.AnError), records(aSession())), assert.AnError)
}

func aWindow() wsevent.Window {
	dropped := wsevent.Exemplar{SpanContext: span(3), Time: begin + 9_000, Outcome: wsevent.OutcomeDropped, Duration: 2 * time.Second}
	return wsevent.Window{
		Tags: acme, Start: begin, End: begin + 10_000, Step: 9 * time.Second, Since: begin - 90_000,
		SessionsKnown: true, SessionsSince: begin - 45_000, Dropped: []wsevent.Exemplar{dropped}, Exemplars: []wsevent.Exemplar{dropped},
		Sessions: []wsevent.SessionTotals{
			{Outcome: wsevent.OutcomeClosed, Duration: wsevent.Histogram{Count: 1, Sum: 1000, First: -1, Buckets: []uint64{1}}, FirstReply: wsevent.Histogram{Count: 1, Zero: 1}},
			{Outcome: wsevent.OutcomeDropped, Duration: wsevent.Histogram{Count: 3, Zero: 1, Sum: 2001, First: -3, Buckets: []uint64{1, 0, 1}}},
		},
	}
}

func metricsOf(t *testing.T, windows ...wsevent.Window) map[string]pmetric.Metric {
	t.Helper()
	logs := plog.NewLogs()
	for i := range windows {
		wslog.EncodeWindow(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), &windows[i])
	}
	sink := new(consumertest.MetricsSink)
	c, err := NewFactory().CreateLogsToMetrics(t.Context(), connectortest.NewNopSettings(metadata.Type), createDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, c.ConsumeLogs(t.Context(), logs))
	require.NoError(t, c.Shutdown(t.Context()))
	found := map[string]pmetric.Metric{}
	for _, metrics := range sink.AllMetrics() {
		for _, metric := range metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			found[metric.Name()] = metric
		}
	}
	return found
}

func TestMetrics_TotalsBecomeHistograms(t *testing.T) {
	t.Parallel()
	found := metricsOf(t, aWindow())
	require.Len(t, found, 3)
	sessions := found["ws.sessions"].Sum()
	assert.True(t, sessions.IsMonotonic())
	assert.Equal(t, pmetric.AggregationTemporalityCumulative, sessions.AggregationTemporality())
	require.Equal(t, 2, sessions.DataPoints().Len())

	duration := found["ws.session.duration"]
	assert.Equal(t, "s", duration.Unit())
	require.Equal(t, 2, duration.ExponentialHistogram().DataPoints().Len())
	for _, point := range duration.ExponentialHistogram().DataPoints().All() {
		outcome, _ := point.Attributes().Get("outcome")
		if outcome.Str() != wsevent.OutcomeDropped {
			continue
		}
		assert.Equal(t, pcommon.Timestamp((begin-45_000)*1e6), point.StartTimestamp())
		assert.Equal(t, pcommon.Timestamp((begin+10_000)*1e6), point.Timestamp())
		assert.Equal(t, int32(3), point.Scale())
		assert.Equal(t, uint64(3), point.Count())
		assert.Equal(t, uint64(1), point.ZeroCount())
		assert.InDelta(t, 2.001, point.Sum(), 1e-9)
		assert.Equal(t, int32(-3), point.Positive().Offset())
		assert.Equal(t, []uint64{1, 0, 1}, point.Positive().BucketCounts().AsRaw())
		require.Equal(t, 1, point.Exemplars().Len())
		assert.Equal(t, pcommon.TraceID(span(3).TraceID), point.Exemplars().At(0).TraceID())
		assert.InDelta(t, 2, point.Exemplars().At(0).DoubleValue(), 1e-9)
	}
	reply := found["ws.session.first_reply"].ExponentialHistogram().DataPoints()
	require.Equal(t, 1, reply.Len(), "no dropped session had a reply: unknown is absent")
	assert.Zero(t, reply.At(0).Exemplars().Len())
}

func TestMetrics_WindowWithoutSessionsHasNone(t *testing.T) {
	t.Parallel()
	window := aWindow()
	window.SessionsKnown = false
	assert.Empty(t, metricsOf(t, window))
	window = aWindow()
	window.Sessions = nil
	assert.Empty(t, metricsOf(t, window), "no session has ended")
}

// Whatever records come by OTLP, they are converted or counted.
func FuzzRecords(f *testing.F) {
	marshaler := &plog.JSONMarshaler{}
	logs := records(aSession())
	window := aWindow()
	wslog.EncodeWindow(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty(), &window)
	text, err := marshaler.MarshalLogs(logs)
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		sink := new(consumertest.TracesSink)
		require.NoError(t, toTraces(t, componenttest.NewTelemetry(), sink, logs))
		for _, traces := range sink.AllTraces() {
			for _, resource := range traces.ResourceSpans().All() {
				for _, span := range resource.ScopeSpans().At(0).Spans().All() {
					require.False(t, span.TraceID().IsEmpty())
					require.GreaterOrEqual(t, span.EndTimestamp(), span.StartTimestamp())
				}
			}
		}
	})
}

func BenchmarkTraces(b *testing.B) {
	sessions := make([]wsevent.Session, 1_000)
	for i := range sessions {
		sessions[i] = aSession()
		sessions[i].ChannelID = fmt.Sprint("c-", i)
	}
	logs := records(sessions...)
	c, err := NewFactory().CreateLogsToTraces(b.Context(), connectortest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, c.ConsumeLogs(b.Context(), logs))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(sessions)), "ns/session")
}
