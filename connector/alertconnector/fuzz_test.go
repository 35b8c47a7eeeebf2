// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadata"
)

// Whatever metrics come by OTLP, rules are applied to what can be used of them.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"ws.drop_rate","gauge":{"dataPoints":[{"startTimeUnixNano":"1715623400000000000","timeUnixNano":"1715623410000000000","asDouble":0.7,"attributes":[{"key":"tenant_id","value":{"stringValue":"a"}}]}]}}]}]}]}`))
	f.Add([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"ws.drop_rate","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"18446744073709551615","asDouble":"NaN"},{"timeUnixNano":"1","asInt":"-1"}]}}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		metrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		if err != nil {
			return
		}
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(dropRule))
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		config := createDefaultConfig().(*Config)
		require.NoError(t, conf.Unmarshal(config))
		c, err := NewFactory().CreateMetricsToLogs(t.Context(), connectortest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, c.ConsumeMetrics(t.Context(), metrics))
		require.NoError(t, c.Shutdown(t.Context()))
	})
}
