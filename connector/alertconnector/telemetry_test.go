// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadatatest"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

func TestStart_DuringCollection(t *testing.T) {
	t.Parallel()
	telemetry := componenttest.NewTelemetry()
	ctx, stop := context.WithCancel(t.Context())
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for ctx.Err() == nil {
			_ = telemetry.Reader.Collect(ctx, new(metricdata.ResourceMetrics))
		}
	})
	for range 100 {
		c, err := NewFactory().CreateMetricsToLogs(t.Context(), metadatatest.NewSettings(telemetry), configured(t, dropRule), consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, c.Shutdown(t.Context()))
	}
	stop()
	collecting.Wait()
	require.NoError(t, telemetry.Shutdown(t.Context()))
}

func TestOwnTelemetry(t *testing.T) {
	t.Parallel()
	telemetry := componenttest.NewTelemetry()
	defer func() { require.NoError(t, telemetry.Shutdown(t.Context())) }()
	config := configured(t, usualRule)
	config.Rules = append(config.Rules, configured(t, dropRule).Rules...)
	config.Rules[1].Level.For = 1
	c, err := NewFactory().CreateMetricsToLogs(t.Context(), metadatatest.NewSettings(telemetry), config, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	at := start()
	for _, rate := range []float64{1, 0} {
		require.NoError(t, c.ConsumeMetrics(t.Context(), drops(at, rate)))
		require.NoError(t, c.ConsumeMetrics(t.Context(), drops(at, rate)))
		at += 9_000
	}
	int64s := func(name string, by ...string) map[string]int64 {
		found, err := telemetry.GetMetric(name)
		require.NoError(t, err)
		var points []metricdata.DataPoint[int64]
		switch data := found.Data.(type) {
		case metricdata.Gauge[int64]:
			points = data.DataPoints
		case metricdata.Sum[int64]:
			points = data.DataPoints
		}
		values := map[string]int64{}
		for _, point := range points {
			var key []string
			for _, name := range by {
				value, _ := point.Attributes.Value(attribute.Key(name))
				key = append(key, value.AsString())
			}
			values[strings.Join(key, " ")] = point.Value
		}
		return values
	}
	assert.Equal(t, map[string]int64{"": 4}, int64s("otelcol_alert_evaluations"))
	assert.Equal(t, map[string]int64{"ws_connection_drop_rate firing": 1, "ws_connection_drop_rate resolved": 1},
		int64s("otelcol_alert_alerts", "rule", "status"))
	assert.Equal(t, map[string]int64{"ws_active_connections_high": 1}, int64s("otelcol_alert_learning_series", "rule"))
	assert.Equal(t, map[string]int64{"ws_active_connections_high": 1, "ws_connection_drop_rate": 1}, int64s("otelcol_alert_series", "rule"))
	assert.Equal(t, map[string]int64{"seen": 4}, int64s("otelcol_alert_skipped_samples", "reason"))
	require.NoError(t, c.Shutdown(t.Context()))
}

// Trouble with the storage shows in health, and so does its end.
func TestStorage_FailureIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := configured(t, dropRule)
		config.Storage = &owntest.StorageID
		d := owntest.NewStorage()
		h := owntest.NewHost(d)
		c, err := NewFactory().CreateMetricsToLogs(t.Context(), nopSettings(), config, consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, c.Start(t.Context(), h))
		d.SetFull(true)
		require.NoError(t, c.ConsumeMetrics(t.Context(), drops(start(), 1)))
		time.Sleep(3 * time.Second)
		d.SetFull(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, h.Statuses())
		require.NoError(t, c.Shutdown(t.Context()))
	})
}
