// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadata"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// configured reads a configuration as people write it, and validates it.
func configured(t testing.TB, text string) *Config {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(config))
	require.NoError(t, config.Validate())
	return config
}

// running is a connector with both of its outputs.
type running struct {
	logs    connector.Metrics
	points  connector.Metrics
	alerts  *consumertest.LogsSink
	metrics *consumertest.MetricsSink
	log     *observer.ObservedLogs
	e       *evaluator
}

// begin starts a connector, on a disk when there is one.
func begin(t testing.TB, config *Config, d *owntest.Storage, next consumer.Logs) *running {
	t.Helper()
	host := owntest.NewHost(nil)
	if d != nil {
		config.Storage, host = &owntest.StorageID, owntest.NewHost(d)
	}
	core, log := observer.New(zapcore.InfoLevel)
	set := nopSettings()
	set.Logger = zap.New(core)
	r := &running{alerts: new(consumertest.LogsSink), metrics: new(consumertest.MetricsSink), log: log}
	if next == nil {
		next = r.alerts
	}
	factory := NewFactory()
	var err error
	r.logs, err = factory.CreateMetricsToLogs(t.Context(), set, config, next)
	require.NoError(t, err)
	r.points, err = factory.CreateMetricsToMetrics(t.Context(), set, config, r.metrics)
	require.NoError(t, err)
	r.e = r.logs.(*sharedComponent).evaluator
	require.NoError(t, r.logs.Start(t.Context(), host))
	require.NoError(t, r.points.Start(t.Context(), host))
	return r
}

func (r *running) end(t testing.TB) {
	t.Helper()
	require.NoError(t, r.logs.Shutdown(t.Context()))
	require.NoError(t, r.points.Shutdown(t.Context()))
}

// consume gives a batch to both outputs, as the Collector does.
func (r *running) consume(t testing.TB, metrics pmetric.Metrics) {
	t.Helper()
	require.NoError(t, r.logs.ConsumeMetrics(t.Context(), metrics))
	require.NoError(t, r.points.ConsumeMetrics(t.Context(), metrics))
}

// body is an alert as it arrived.
type body map[string]any

func bodies(logs []plog.Logs) (all []body) {
	for _, l := range logs {
		for _, resource := range l.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					all = append(all, record.Body().Map().AsRaw())
				}
			}
		}
	}
	return all
}

func (r *running) bodies() []body {
	synctest.Wait()
	return bodies(r.alerts.AllLogs())
}

const day = 24 * 60 * 60 * 1000

// acme is the series of most tests.
var acme = wsevent.Tags{TenantID: "acme_corp", Region: "eu-west-1", ChannelType: "webmessaging"}

// window is a window of acme, with metrics beside each other.
func window(end int64, values map[string]float64) pmetric.Metrics {
	return windowOf(acme, end, values)
}

func windowOf(tags wsevent.Tags, end int64, values map[string]float64) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		metric := scope.Metrics().AppendEmpty()
		metric.SetName(name)
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetDoubleValue(values[name])
		point.SetStartTimestamp(pcommon.Timestamp((end - 10_000) * 1e6))
		point.SetTimestamp(pcommon.Timestamp(end * 1e6))
		wslog.PutTags(point.Attributes(), tags)
	}
	return metrics
}

func drops(end int64, rate float64) pmetric.Metrics {
	return window(end, map[string]float64{"ws.drop_rate": rate, "ws.active_connections": 142})
}

const dropRule = `
rules:
  - name: ws_connection_drop_rate
    metric: ws.drop_rate
    severity: critical
    threshold: { above: 0.5 }
    for: 2
    context: WebSocket gateway experiencing elevated drop rate. Immediate investigation required.
`

// start is when the windows of the tests begin.
func start() int64 { return time.Now().UnixMilli() / 10_000 * 10_000 }

func statuses(all []body) (found []string) {
	for _, b := range all {
		found = append(found, b["status"].(string))
	}
	return found
}

func sameID(t testing.TB, all []body) {
	t.Helper()
	for _, b := range all {
		assert.Equal(t, all[0]["alert_id"], b["alert_id"])
	}
}

// nopSettings are those of `alert`, without a name: it would be random, and is in alert_id.
func nopSettings() connector.Settings {
	set := connectortest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	return set
}
