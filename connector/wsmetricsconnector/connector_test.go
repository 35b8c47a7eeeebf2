// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

func aWindow() wsevent.Window {
	return wsevent.Window{
		Tags:              wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"},
		Start:             1_715_623_400_000,
		End:               1_715_623_410_000,
		Step:              9 * time.Second,
		ActiveConnections: 142,
		Counts: wsevent.Counts{
			MessagesSent: 200, MessagesReceived: 185, MessagesUnsized: 12, PayloadBytes: 1_048_576,
			ConnectionsOpened: 7, ConnectionsClosed: 5, ConnectionsDropped: 1,
		},
		ClockSkew:      -12.5,
		ClockSkewKnown: true,
		Complete:       true,
		Since:          1_715_623_000_000,
		Totals: wsevent.Counts{
			MessagesSent: 9_000, MessagesReceived: 8_000, MessagesUnsized: 40, PayloadBytes: 50_000_000,
			ConnectionsOpened: 300, ConnectionsClosed: 158, ConnectionsDropped: 4,
			BackpressureEvents: 2, ProtocolViolations: 3, LateEvents: 6,
		},
	}
}

// windowPoints is the number of points of aWindow, which has no reconstructed events and no healed gaps.
var windowPoints = len(definitions) - 6

func record(window wsevent.Window) plog.Logs {
	logs := plog.NewLogs()
	wslog.EncodeWindow(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), &window)
	return logs
}

func newLogs(t *testing.T, next consumer.Metrics) connector.Logs {
	t.Helper()
	c, err := NewFactory().CreateLogsToMetrics(t.Context(), connectortest.NewNopSettings(metadata.Type), createDefaultConfig(), next)
	require.NoError(t, err)
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, c.Shutdown(t.Context())) })
	return c
}

func TestWindowsBecomeTheMetricsOfTheContract(t *testing.T) {
	t.Parallel()
	overflow := aWindow()
	overflow.Tags = wsevent.Tags{Overflow: true}
	overflow.ClockSkewKnown = false
	overflow.Complete = false
	for name, window := range map[string]wsevent.Window{"window": aWindow(), "overflow": overflow} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := new(consumertest.MetricsSink)
			require.NoError(t, newLogs(t, sink).ConsumeLogs(t.Context(), record(window)))
			require.Len(t, sink.AllMetrics(), 1)
			want, err := golden.ReadMetrics(filepath.Join("testdata", name+".yaml"))
			require.NoError(t, err)
			require.NoError(t, pmetrictest.CompareMetrics(want, sink.AllMetrics()[0]))
		})
	}
}

func TestNothingElseBecomesAMetric(t *testing.T) {
	t.Parallel()
	sink := new(consumertest.MetricsSink)
	c := newLogs(t, sink)
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().SetEventName(wsevent.MessageSend)
	records.AppendEmpty().Body().SetStr("ws_throughput")
	require.NoError(t, c.ConsumeLogs(t.Context(), logs))
	assert.Empty(t, sink.AllMetrics())
}

func TestABadRecordDoesNotStopItsNeighbours(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(plog.LogRecord){
		"text":        func(r plog.LogRecord) { r.Body().SetStr("{}") },
		"no tags":     func(r plog.LogRecord) { r.Body().Map().Remove(wsevent.KeyTags) },
		"no fields":   func(r plog.LogRecord) { r.Body().Map().Remove(wsevent.KeyFields) },
		"no totals":   func(r plog.LogRecord) { r.Body().Map().Remove(wsevent.KeyTotals) },
		"flat fields": func(r plog.LogRecord) { r.Body().Map().PutStr(wsevent.KeyFields, "x") },
		"no start":    func(r plog.LogRecord) { r.Body().Map().Remove(wsevent.KeyTimestamp) },
		"no end":      func(r plog.LogRecord) { r.Body().Map().Remove(wsevent.KeyWindowEnd) },
		"backwards":   func(r plog.LogRecord) { r.Body().Map().PutInt(wsevent.KeyWindowEnd, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := new(consumertest.MetricsSink)
			c := newLogs(t, sink)
			logs := record(aWindow())
			spoil(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0))
			record(aWindow()).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
			require.NoError(t, c.ConsumeLogs(t.Context(), logs))
			require.Len(t, sink.AllMetrics(), 1)
			assert.Equal(t, windowPoints, sink.DataPointCount(), "one window's points")
		})
	}
}

func TestANumberThatASenderDoesNotKnowIsLeftOut(t *testing.T) {
	t.Parallel()
	sink := new(consumertest.MetricsSink)
	c := newLogs(t, sink)
	logs := record(aWindow())
	body := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Map()
	fields, _ := body.Get(wsevent.KeyFields)
	fields.Map().Remove(wsevent.FieldActiveConnections)
	totals, _ := body.Get(wsevent.KeyTotals)
	totals.Map().Remove(wsevent.FieldLateEvents)
	require.NoError(t, c.ConsumeLogs(t.Context(), logs))
	assert.Equal(t, windowPoints-2, sink.DataPointCount())
	for _, metric := range sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		assert.NotContains(t, []string{"ws.active_connections", "ws.late_events"}, metric.Name())
	}
}

// names are the metrics that a window gives.
func names(t *testing.T, window wsevent.Window) []string {
	t.Helper()
	sink := new(consumertest.MetricsSink)
	require.NoError(t, newLogs(t, sink).ConsumeLogs(t.Context(), record(window)))
	var found []string
	for _, metric := range sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		assert.Positive(t, points(metric).Len(), metric.Name())
		found = append(found, metric.Name())
	}
	return found
}

func TestMetrics_UnknownValueHasNoPoint(t *testing.T) {
	t.Parallel()
	all := names(t, aWindow())
	for name, test := range map[string]struct {
		change func(*wsevent.Window)
		absent []string
	}{
		"no size": {
			func(w *wsevent.Window) { w.Totals.MessagesUnsized, w.Totals.PayloadBytes = w.Totals.Messages(), 0 },
			[]string{"ws.payload", "ws.payload.throughput"},
		},
		"no classified close": {
			func(w *wsevent.Window) { w.Totals.ClosesUnclassified = w.Totals.ConnectionsClosed },
			[]string{"ws.drop_rate", "ws.connections.dropped"},
		},
		"no skew":             {func(w *wsevent.Window) { w.ClockSkewKnown = false }, []string{"ws.clock.skew"}},
		"a sender of no step": {func(w *wsevent.Window) { w.Step = 0 }, []string{"ws.window.step"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			window := aWindow()
			test.change(&window)
			found := names(t, window)
			for _, absent := range test.absent {
				assert.NotContains(t, found, absent)
			}
			assert.ElementsMatch(t, all, append(found, test.absent...))
		})
	}
}

// Many series of a stream have one geometry.
func TestMetrics_GeometryIsPerStream(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	next := aWindow()
	next.Start, next.End = next.Start.Add(next.Step), next.End.Add(next.Step)
	for _, window := range []wsevent.Window{aWindow(), next} {
		for _, channelType := range []string{"voice", "webmessaging", "callback"} {
			window.Tags.ChannelType = channelType
			record(window).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
		}
	}
	sink := new(consumertest.MetricsSink)
	require.NoError(t, newLogs(t, sink).ConsumeLogs(t.Context(), logs))
	seconds := map[string]float64{"ws.window.size": 10, "ws.window.step": 9}
	for _, metric := range sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		want, geometry := seconds[metric.Name()]
		if !geometry {
			assert.Equal(t, 6, points(metric).Len(), metric.Name())
			continue
		}
		require.Equal(t, 2, points(metric).Len(), metric.Name())
		for _, point := range points(metric).All() {
			assert.InDelta(t, want, point.DoubleValue(), 0)
			assert.Equal(t, map[string]any{"tenant_id": "acme_corp", "region": "us-east-1"}, point.Attributes().AsRaw())
		}
	}
}

func TestMetrics_ReconstructedEventsByKind(t *testing.T) {
	t.Parallel()
	window := aWindow()
	window.Reconstructed = wsevent.Reconstructed{Opened: 2, Closed: 3, Present: 5}
	window.Reconciled = wsevent.Reconciled{Unreconciled: -4, UnreconciledKnown: true, StuckKnown: true}
	window.Healed = wsevent.Healed{Since: 1_715_000_000_000, Until: 1_715_000_060_000}
	sink := new(consumertest.MetricsSink)
	require.NoError(t, newLogs(t, sink).ConsumeLogs(t.Context(), record(window)))
	found := map[string]int64{}
	for _, metric := range sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == "ws.connections.unreconciled" || metric.Name() == "ws.connections.stuck" {
			found[metric.Name()] = points(metric).At(0).IntValue()
		}
		if strings.HasPrefix(metric.Name(), "ws.gaps.healed.") {
			point := points(metric).At(0)
			found[metric.Name()] = int64(point.DoubleValue())
			assert.Len(t, point.Attributes().AsRaw(), 2, "of the stream")
		}
		if metric.Name() != "ws.events.reconstructed" {
			continue
		}
		assert.True(t, metric.Sum().IsMonotonic())
		for _, point := range points(metric).All() {
			kind, _ := point.Attributes().Get("kind")
			found[kind.Str()] = point.IntValue()
			assert.Equal(t, int64(window.Since)*1e6, int64(point.StartTimestamp()))
			assert.Len(t, point.Attributes().AsRaw(), 4)
		}
	}
	assert.Equal(t, map[string]int64{
		"opened": 2, "closed": 3, "present": 5, "ws.connections.unreconciled": -4, "ws.connections.stuck": 0,
		"ws.gaps.healed.since": 1_715_000_000, "ws.gaps.healed.until": 1_715_000_060,
	}, found)
}

func TestARefusalGoesBackToTheSender(t *testing.T) {
	t.Parallel()
	c := newLogs(t, consumertest.NewErr(errors.New("full")))
	require.ErrorContains(t, c.ConsumeLogs(t.Context(), record(aWindow())), "full")
}

func TestARecordThatWentThroughJSONGivesTheSameMetrics(t *testing.T) {
	t.Parallel()
	direct, json := new(consumertest.MetricsSink), new(consumertest.MetricsSink)
	require.NoError(t, newLogs(t, direct).ConsumeLogs(t.Context(), record(aWindow())))
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(record(aWindow()))
	require.NoError(t, err)
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
	require.NoError(t, err)
	require.NoError(t, newLogs(t, json).ConsumeLogs(t.Context(), logs))
	require.NoError(t, pmetrictest.CompareMetrics(direct.AllMetrics()[0], json.AllMetrics()[0]))
}

func BenchmarkBuild(b *testing.B) {
	const n = 1_000
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	windows := make([]wslog.Record, n)
	for i := range windows {
		window := aWindow()
		record := records.AppendEmpty()
		wslog.EncodeWindow(record, &window)
		var err error
		windows[i], err = wslog.DecodeRecord(record)
		require.NoError(b, err)
	}
	b.ReportAllocs()
	var metrics pmetric.Metrics
	for b.Loop() {
		metrics = build(windows)
	}
	require.Equal(b, n*(windowPoints-2)+2, metrics.DataPointCount(), "one point of size and step for the stream")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/window")
}

func TestDropped_CarriesTheSampledSessionsAsExemplars(t *testing.T) {
	t.Parallel()
	window := aWindow()
	window.SessionsKnown = true
	window.Totals.ConnectionsReopened = 3
	trace := wsevent.SpanContext{TraceID: wsevent.TraceID{1}, SpanID: wsevent.SpanID{2}}
	window.Dropped = []wsevent.Exemplar{{SpanContext: trace, Time: window.End - 1_000, Outcome: wsevent.OutcomeDropped, Duration: time.Second}}
	sink := new(consumertest.MetricsSink)
	require.NoError(t, newLogs(t, sink).ConsumeLogs(t.Context(), record(window)))
	found := 0
	for _, metric := range sink.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		point := points(metric).At(0)
		switch metric.Name() {
		case "ws.connections.dropped":
			require.Equal(t, 1, point.Exemplars().Len())
			exemplar := point.Exemplars().At(0)
			assert.Equal(t, pcommon.TraceID(trace.TraceID), exemplar.TraceID())
			assert.Equal(t, pcommon.SpanID(trace.SpanID), exemplar.SpanID())
			assert.Equal(t, nanoseconds(window.End-1_000), exemplar.Timestamp())
			found++
		case "ws.connections.reopened":
			assert.Equal(t, int64(3), point.IntValue())
			found++
		default:
			assert.Zero(t, point.Exemplars().Len(), metric.Name())
		}
	}
	assert.Equal(t, 2, found)
}
