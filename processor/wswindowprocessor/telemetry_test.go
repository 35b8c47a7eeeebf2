// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestOwnTelemetry(t *testing.T) {
	t.Parallel()
	telemetry := componenttest.NewTelemetry()
	defer func() { require.NoError(t, telemetry.Shutdown(t.Context())) }()
	set := metadatatest.NewSettings(telemetry)
	p, err := newProcessor(set, createDefaultConfig().(*Config), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	consume(t, p, event(wsevent.ConnectionOpen, "a"), event(wsevent.ConnectionOpen, "b"))
	future := event(wsevent.MessageSend, "a")
	future.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetTimestamp(4_070_908_800_000_000_000)
	consume(t, p, future)

	int64s := func(name string) map[string]int64 {
		found, err := telemetry.GetMetric(name)
		require.NoError(t, err)
		values := map[string]int64{}
		var points []metricdata.DataPoint[int64]
		switch data := found.Data.(type) {
		case metricdata.Gauge[int64]:
			points = data.DataPoints
		case metricdata.Sum[int64]:
			points = data.DataPoints
		}
		for _, point := range points {
			reason, _ := point.Attributes.Value("reason")
			values[reason.AsString()] = point.Value
		}
		return values
	}
	assert.Equal(t, map[string]int64{"": 2}, int64s("otelcol_ws_window_open_channels"))
	assert.Equal(t, map[string]int64{"": 1_000_000}, int64s("otelcol_ws_window_channels_limit"))
	assert.Equal(t, map[string]int64{"": 1}, int64s("otelcol_ws_window_series"))
	assert.Equal(t, map[string]int64{"": 10_000}, int64s("otelcol_ws_window_series_limit"))
	assert.Equal(t, map[string]int64{"late": 0, "future": 1}, int64s("otelcol_ws_window_missed_events"))

	lag, err := telemetry.GetMetric("otelcol_ws_window_watermark_lag")
	require.NoError(t, err)
	points := lag.Data.(metricdata.Gauge[float64]).DataPoints
	require.Len(t, points, 1)
	assert.Equal(t, attribute.NewSet(attribute.String("tenant_id", "acme_corp"), attribute.String("region", "us-east-1")), points[0].Attributes)
	require.NoError(t, p.Shutdown(t.Context()))
}
