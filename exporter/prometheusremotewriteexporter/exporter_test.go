// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package prometheusremotewriteexporter

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/prometheusremotewriteexporter/internal/metadata"
)

// backend is a remote-write receiver that keeps sample values.
type backend struct {
	*httptest.Server
	mutex    sync.Mutex
	respond  func(attempt int) int // status; 0: no response until the client gives up
	attempts int
	values   map[float64]int
}

func newBackend(t *testing.T, respond func(attempt int) int) *backend {
	t.Helper()
	b := &backend{respond: respond, values: map[float64]int{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		b.mutex.Lock()
		b.attempts++
		status := b.respond(b.attempts)
		b.mutex.Unlock()
		if status == 0 {
			<-r.Context().Done()
			return
		}
		if status < 300 {
			b.keep(t, body)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) keep(t *testing.T, body []byte) {
	var request prompb.WriteRequest
	text, err := snappy.Decode(nil, body)
	if assert.NoError(t, err) && assert.NoError(t, proto.Unmarshal(text, &request)) {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		for _, series := range request.Timeseries {
			for _, sample := range series.Samples {
				b.values[sample.Value]++
			}
		}
	}
}

func (b *backend) kept() map[float64]int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return maps.Clone(b.values)
}

func gauge(value float64) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("ws.active_connections")
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.NewTimestampFromTime(time.UnixMilli(1_715_623_400_000 + int64(value))))
	point.SetDoubleValue(value)
	return metrics
}

func config(t *testing.T, settings map[string]any) *Config {
	t.Helper()
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(cfg))
	require.NoError(t, cfg.Validate())
	return cfg
}

// An outage that lasts for many timeouts loses nothing, and every batch is stored once.
func TestOutageLongerThanTheTimeout(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"no response": 0, "503": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const outage = 12 // attempts, of 20 ms each
			b := newBackend(t, func(attempt int) int {
				if attempt <= outage {
					return status
				}
				return http.StatusNoContent
			})
			cfg := config(t, map[string]any{
				"endpoint": b.URL, "timeout": "20ms", "target_info": map[string]any{"enabled": false},
				"retry_on_failure": map[string]any{"initial_interval": "1ms", "max_interval": "5ms", "max_elapsed_time": 0},
			})
			telemetry := componenttest.NewTelemetry()
			t.Cleanup(func() { assert.NoError(t, telemetry.Shutdown(context.Background())) })
			set := exportertest.NewNopSettings(metadata.Type)
			set.TelemetrySettings = telemetry.NewTelemetrySettings()
			e, err := NewFactory().CreateMetrics(t.Context(), set, cfg)
			require.NoError(t, err)
			require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
			want := map[float64]int{}
			for i := range 5 {
				value := float64(i + 1)
				require.NoError(t, e.ConsumeMetrics(t.Context(), gauge(value)))
				want[value] = 1
			}
			require.Eventually(t, func() bool { return len(b.kept()) == len(want) }, time.Minute, time.Millisecond)
			require.NoError(t, e.Shutdown(t.Context()))
			assert.Equal(t, want, b.kept())
			sent, err := telemetry.GetMetric("otelcol_exporter_sent_metric_points")
			require.NoError(t, err)
			assert.Contains(t, pointsOf(t, sent), int64(5), "each point is counted once")
			_, err = telemetry.GetMetric("otelcol_exporter_send_failed_metric_points")
			assert.Error(t, err, "an attempt that failed is no point that failed")
		})
	}
}

// What the backend rejects as wrong is dropped and does not hold up what follows.
func TestRejectedBatchIsDropped(t *testing.T) {
	t.Parallel()
	b := newBackend(t, func(attempt int) int {
		if attempt == 1 {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	cfg := config(t, map[string]any{"endpoint": b.URL, "target_info": map[string]any{"enabled": false}})
	e, err := NewFactory().CreateMetrics(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, e.ConsumeMetrics(t.Context(), gauge(1)))
	require.NoError(t, e.ConsumeMetrics(t.Context(), gauge(2)))
	require.NoError(t, e.Shutdown(t.Context())) // the queue in memory is sent first
	assert.Equal(t, map[float64]int{2: 1}, b.kept())
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		settings  map[string]any
		queueSize int64 // 0: no queue
	}{
		{nil, 10_000}, // remote_write_queue is enabled by default
		{map[string]any{"remote_write_queue": map[string]any{"queue_size": 7}}, 7},
		{map[string]any{"remote_write_queue": map[string]any{"enabled": false}}, 0},
		{map[string]any{"sending_queue": map[string]any{"enabled": false}}, 0},
		{map[string]any{"sending_queue": map[string]any{"queue_size": 9}}, 9},
	} {
		queue := config(t, test.settings).queue()
		require.Equal(t, test.queueSize > 0, queue.HasValue(), "%v", test.settings)
		if test.queueSize > 0 {
			assert.Equal(t, test.queueSize, queue.Get().QueueSize, "%v", test.settings)
			assert.Equal(t, 1, queue.Get().NumConsumers, "in order")
		}
	}

	cfg := NewFactory().CreateDefaultConfig().(*Config)
	err := confmap.NewFromStringMap(map[string]any{"sending_queue": map[string]any{"queue_size": 9}, "remote_write_queue": map[string]any{"queue_size": 9}}).Unmarshal(cfg)
	require.ErrorContains(t, err, "remote_write_queue")
	cfg = NewFactory().CreateDefaultConfig().(*Config)
	cfg.RemoteWrite.TimeoutSettings.Timeout = 0
	require.ErrorContains(t, cfg.Validate(), "timeout: 0s")
}

// pointsOf are the values of a sum's points.
func pointsOf(t *testing.T, m metricdata.Metrics) (values []int64) {
	t.Helper()
	sum, ok := m.Data.(metricdata.Sum[int64])
	require.True(t, ok)
	for _, point := range sum.DataPoints {
		values = append(values, point.Value)
	}
	return values
}
