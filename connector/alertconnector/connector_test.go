// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestConsecutiveWindows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rates []float64 // negative: the window is missing
		want  []string
	}{
		"one good one between":   {rates: []float64{0.51, 0.49, 0.51}},
		"two":                    {rates: []float64{0.51, 0.51}, want: []string{"firing"}},
		"logged once":            {rates: []float64{0.51, 0.51, 0.6, 0.7}, want: []string{"firing"}},
		"exactly at it":          {rates: []float64{0.5, 0.5, 0.5}},
		"a missing window":       {rates: []float64{0, 0.51, -1, 0.51}},
		"missing from the start": {rates: []float64{0.51, -1, 0.51}},
		"resolved":               {rates: []float64{0.51, 0.51, 0.5}, want: []string{"firing", "resolved"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := begin(t, configured(t, dropRule), nil, nil)
				for i, rate := range c.rates {
					if rate >= 0 {
						r.consume(t, drops(start()+int64(i)*9_000, rate))
					}
				}
				all := r.bodies()
				assert.Equal(t, c.want, statuses(all))
				sameID(t, all)
				r.end(t)
			})
		})
	}
}

// The body is the payload of the contract, key by key.
// Whoever makes a second connector of a configuration gets one that works.
func TestSharedComponent_SecondConnector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config, factory := configured(t, dropRule), NewFactory()
		var all []connector.Metrics
		for range 2 {
			sink := new(consumertest.LogsSink)
			c, err := factory.CreateMetricsToLogs(t.Context(), nopSettings(), config, sink)
			require.NoError(t, err)
			require.NoError(t, c.Start(t.Context(), owntest.NewHost(nil)))
			at := start()
			require.NoError(t, c.ConsumeMetrics(t.Context(), drops(at, 1)))
			require.NoError(t, c.ConsumeMetrics(t.Context(), drops(at+9_000, 1)))
			synctest.Wait()
			assert.Equal(t, 1, sink.LogRecordCount())
			all = append(all, c)
		}
		for _, c := range all {
			require.NoError(t, c.Shutdown(t.Context()))
		}
	})
}

func TestPayload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRule), nil, nil)
		at := start()
		r.consume(t, drops(at, 0.52))
		r.consume(t, drops(at+9_000, 0.68))
		synctest.Wait()
		require.Len(t, r.alerts.AllLogs(), 1)
		resource := r.alerts.AllLogs()[0].ResourceLogs().At(0)
		assert.Equal(t, map[string]any{"tenant_id": "acme_corp", "region": "eu-west-1", "channel_type": "webmessaging"},
			resource.Resource().Attributes().AsRaw())
		record := resource.ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, wsevent.AlertFiring, record.EventName())
		assert.Equal(t, plog.SeverityNumberError, record.SeverityNumber())
		assert.Equal(t, "critical", record.SeverityText())
		assert.Equal(t, nanoseconds(at+9_000), record.Timestamp())
		var keys []string
		for key := range record.Body().Map().All() {
			keys = append(keys, key)
		}
		assert.Equal(t, []string{
			"alert_type", "metric", "value", "threshold", "region", "tenant_id", "channel_type",
			"window_start", "window_end", "context", "status", "alert_id", "baseline", "snapshot", "fault_domain",
		}, keys)
		id, _ := record.Attributes().Get(wsevent.AlertID)
		want := map[string]any{
			"alert_type": "critical", "metric": "ws_connection_drop_rate", "value": 0.68, "threshold": 0.5,
			"region": "eu-west-1", "tenant_id": "acme_corp", "channel_type": "webmessaging",
			"window_start": at - 1_000, "window_end": at + 9_000, "status": "firing", "alert_id": id.Str(), "baseline": nil, "fault_domain": "tenant",
			"context":  "WebSocket gateway experiencing elevated drop rate. Immediate investigation required.",
			"snapshot": map[string]any{"ws.active_connections": 142.0, "ws.drop_rate": 0.68},
		}
		wantText, err := json.Marshal(want)
		require.NoError(t, err)
		text, err := json.Marshal(record.Body().Map().AsRaw())
		require.NoError(t, err)
		assert.JSONEq(t, string(wantText), string(text))
		r.end(t)
	})
}

// An alert names the sampled sessions that were dropped in its window.
func TestPayload_Traces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRule), nil, nil)
		at := start()
		r.consume(t, drops(at, 0.52))
		metrics := drops(at+9_000, 0.68)
		scope := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0)
		gauge := scope.Metrics().At(0).Gauge().DataPoints().At(0)
		dropped := scope.Metrics().AppendEmpty()
		dropped.SetName(wsevent.DroppedMetric)
		dropped.SetEmptySum().SetIsMonotonic(true)
		dropped.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		point := dropped.Sum().DataPoints().AppendEmpty()
		gauge.Attributes().CopyTo(point.Attributes())
		point.SetTimestamp(gauge.Timestamp())
		for n := range byte(7) {
			point.Exemplars().AppendEmpty().SetTraceID(pcommon.TraceID{n})
		}
		r.consume(t, metrics)
		synctest.Wait()
		require.Len(t, r.alerts.AllLogs(), 1)
		body := bodies(r.alerts.AllLogs())[0]
		traces := body["traces"].([]any)
		require.Len(t, traces, 5, "the first exemplar has no trace ID")
		assert.Equal(t, "01000000000000000000000000000000", traces[0])
		r.end(t)
	})
}
