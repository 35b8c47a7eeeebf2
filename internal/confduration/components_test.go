// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package confduration_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/fileexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/prometheusremotewriteexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/rabbitmqstreamexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/filestorageextension"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/requestlimitsextension"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/streampartitionerextension"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver"
)

// components are all components of this module; true: its configuration has durations.
func components() map[component.Factory]bool {
	return map[component.Factory]bool{
		ccaaswsreceiver.NewFactory():               true,
		ccaaskafkareceiver.NewFactory():            true,
		ccaasrabbitmqreceiver.NewFactory():         true,
		driftprocessor.NewFactory():                true,
		wswindowprocessor.NewFactory():             true,
		alertconnector.NewFactory():                true,
		wsmetricsconnector.NewFactory():            false,
		wssessionsconnector.NewFactory():           false,
		webhookexporter.NewFactory():               true,
		alertmanagerexporter.NewFactory():          true,
		prometheusremotewriteexporter.NewFactory(): true,
		fileexporter.NewFactory():                  true,
		elasticsearchbulkexporter.NewFactory():     true,
		influxdbexporter.NewFactory():              true,
		rabbitmqstreamexporter.NewFactory():        true,
		timescaledbexporter.NewFactory():           true,
		dashboardextension.NewFactory():            true,
		filestorageextension.NewFactory():          true,
		requestlimitsextension.NewFactory():        true,
		streampartitionerextension.NewFactory():    false,
	}
}

// Every duration of every component, those of the Collector's own sections included,
// is refused without a unit and accepted with one.
func TestComponents_DurationWithoutUnitIsRefused(t *testing.T) {
	t.Parallel()
	all := components()
	builder, err := os.ReadFile(filepath.Join("..", "..", "builder-config.yaml"))
	require.NoError(t, err)
	require.Len(t, all, strings.Count(string(builder), "import: github.com/otelcol-ccaas/otelcol-ccaas/"), "components are all of builder-config.yaml")
	for factory, hasDurations := range all {
		keys := confduration.Keys(factory.CreateDefaultConfig())
		assert.Equal(t, hasDurations, len(keys) > 0, "%s: %v", factory.Type(), keys)
		for _, key := range keys {
			t.Run(factory.Type().String()+"/"+key, func(t *testing.T) {
				t.Parallel()
				path := strings.ReplaceAll(key, "*", "name")
				for _, value := range []any{15, "15", 1.5, uint64(15)} {
					err := nested(path, value).Unmarshal(factory.CreateDefaultConfig())
					require.ErrorContains(t, err, path+": ")
					require.ErrorContains(t, err, "has no unit; write 1")
				}
				for _, value := range []any{"15s", 0, "0"} {
					if err := nested(path, value).Unmarshal(factory.CreateDefaultConfig()); err != nil {
						require.NotContains(t, err.Error(), "has no unit", "%v", value)
					}
				}
			})
		}
	}
}

// nested is a configuration with a value at a path.
func nested(path string, value any) *confmap.Conf {
	elements := strings.Split(path, confmap.KeyDelimiter)
	for _, element := range slices.Backward(elements) {
		if element == "0" {
			value = []any{value}
		} else {
			value = map[string]any{element: value}
		}
	}
	return confmap.NewFromStringMap(value.(map[string]any))
}
