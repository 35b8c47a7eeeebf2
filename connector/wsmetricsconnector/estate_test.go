// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

const (
	tenants      = 2_000
	channelTypes = 3
	sets         = tenants * channelTypes
)

// estate is a batch of events of 2,000 tenants with three channel types each: all that
// makes a window report every value.
func estate(at time.Time) plog.Logs {
	logs := plog.NewLogs()
	for i := range sets {
		resource := logs.ResourceLogs().AppendEmpty()
		wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{
			TenantID: fmt.Sprint("tenant-", i/channelTypes), Region: "eu-west-1", ChannelType: fmt.Sprint("type-", i%channelTypes),
		})
		records := resource.ScopeLogs().AppendEmpty().LogRecords()
		for _, name := range []string{wsevent.ConnectionOpen, wsevent.MessageSend, wsevent.ConnectionClose, wsevent.ClockSkew} {
			record := records.AppendEmpty()
			record.SetEventName(name)
			record.SetTimestamp(pcommon.NewTimestampFromTime(at))
			record.SetObservedTimestamp(pcommon.NewTimestampFromTime(at))
			record.Attributes().PutStr(wsevent.ChannelID, fmt.Sprint("channel-", i))
			record.Attributes().PutInt(wsevent.PayloadSize, 512)
			record.Attributes().PutBool(wsevent.CloseAbnormal, false)
			record.Attributes().PutDouble(wsevent.ClockSkewOffset, 12.5)
		}
	}
	return logs
}

// points are the series of what came, by the metric's name.
func points(all []pmetric.Metrics) map[string]map[[16]byte]pcommon.Map {
	found := map[string]map[[16]byte]pcommon.Map{}
	for _, metrics := range all {
		for _, resource := range metrics.ResourceMetrics().All() {
			for _, scope := range resource.ScopeMetrics().All() {
				for _, metric := range scope.Metrics().All() {
					slice := pmetric.NewNumberDataPointSlice()
					switch metric.Type() {
					case pmetric.MetricTypeGauge:
						slice = metric.Gauge().DataPoints()
					case pmetric.MetricTypeSum:
						slice = metric.Sum().DataPoints()
					}
					if found[metric.Name()] == nil {
						found[metric.Name()] = map[[16]byte]pcommon.Map{}
					}
					for _, point := range slice.All() {
						found[metric.Name()][pdatautil.MapHash(point.Attributes())] = point.Attributes()
					}
				}
			}
		}
	}
	return found
}

// shippedRules is the alert connector as it is configured in the repository.
func shippedRules(t *testing.T) component.Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "alerting.yaml"))
	require.NoError(t, err)
	var file struct{ Connectors map[string]map[string]any }
	require.NoError(t, yaml.Unmarshal(text, &file))
	section := file.Connectors["alert"]
	require.NotNil(t, section)
	delete(section, "storage")
	config := alertconnector.NewFactory().CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(section).Unmarshal(config))
	return config
}

// 2,000 tenants with three channel types are 6,000 series. With the defaults of all
// components each is counted, judged by every shipped rule, and stored, by itself.
func TestEstate_DefaultsHoldTwoThousandTenants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		windows, alerts := new(consumertest.MetricsSink), new(consumertest.MetricsSink)
		rules, err := alertconnector.NewFactory().CreateMetricsToMetrics(t.Context(),
			connectortest.NewNopSettings(alertconnector.NewFactory().Type()), shippedRules(t), alerts)
		require.NoError(t, err)
		both, err := consumer.NewMetrics(func(ctx context.Context, metrics pmetric.Metrics) error {
			if err := windows.ConsumeMetrics(ctx, metrics); err != nil {
				return err
			}
			return rules.ConsumeMetrics(ctx, metrics)
		})
		require.NoError(t, err)
		metrics, err := wsmetricsconnector.NewFactory().CreateLogsToMetrics(t.Context(),
			connectortest.NewNopSettings(wsmetricsconnector.NewFactory().Type()), wsmetricsconnector.NewFactory().CreateDefaultConfig(), both)
		require.NoError(t, err)
		counter, err := wswindowprocessor.NewFactory().CreateLogs(t.Context(),
			processortest.NewNopSettings(wswindowprocessor.NewFactory().Type()), wswindowprocessor.NewFactory().CreateDefaultConfig(), metrics)
		require.NoError(t, err)
		for _, one := range []component.Component{rules, metrics, counter} {
			require.NoError(t, one.Start(t.Context(), componenttest.NewNopHost()))
			defer func() { assert.NoError(t, one.Shutdown(t.Context())) }()
		}

		for range 3 {
			require.NoError(t, counter.ConsumeLogs(t.Context(), estate(time.Now())))
			time.Sleep(9 * time.Second)
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()

		stored := 0
		ofStreams := []string{"ws.window.size", "ws.window.step"}
		for name, series := range points(windows.AllMetrics()) {
			want := sets
			if name == ofStreams[0] || name == ofStreams[1] {
				want = tenants
			}
			assert.Len(t, series, want, name)
			stored += len(series)
			for _, attributes := range series {
				_, overflow := attributes.Get(wsevent.Overflow)
				require.False(t, overflow, name)
			}
		}
		assert.Equal(t, 16*sets+2*tenants, stored)

		judged := map[string]int{}
		for _, attributes := range points(alerts.AllMetrics())["ws.alert.threshold"] {
			rule, _ := attributes.Get(wsevent.AlertRule)
			judged[rule.Str()]++
		}
		assert.Equal(t, sets, judged["ws_connection_drop_rate"])
		assert.Equal(t, sets, judged["ws_clock_skew"])

		// A rule has a baseline, a threshold, its windows and a state of each series.
		shipped := len(shippedRules(t).(*alertconnector.Config).Rules)
		store := dashboardextension.NewFactory().CreateDefaultConfig().(*dashboardextension.Config).Store
		assert.LessOrEqual(t, stored+4*shipped*sets, store.GetOrInsertDefault().MaxSeries)
	})
}
