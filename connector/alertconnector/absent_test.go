// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const dropRules = `
storage:
rules:
  - name: ws_connection_drop_rate
    metric: ws.drop_rate
    severity: critical
    threshold: { above: 0.5 }
    no_data: 2
  - name: other_region
    metric: ws.connections.dropped
    severity: critical
    match: { region: ap-.* }
    threshold: { above: 0 }
`

// withoutDrops is a window of a platform that does not report drops.
func withoutDrops(end int64, closed float64) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	add := func(name string, value float64) {
		metric := scope.Metrics().AppendEmpty()
		metric.SetName(name)
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.Attributes().PutStr("tenant_id", "acme_corp")
		point.Attributes().PutStr("region", "eu-west-1")
		point.SetStartTimestamp(pcommon.Timestamp((end - 10_000) * 1e6))
		point.SetTimestamp(pcommon.Timestamp(end * 1e6))
		point.SetDoubleValue(value)
	}
	add("ws.active_connections", 10)
	add(closedMetric, closed)
	return metrics
}

func TestAbsent_DropRateOfAPlatformThatReportsNoDrops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRules), newDisk(), nil)
		const says = "Rule cannot fire for a stream"
		r.consume(t, withoutDrops(start(), 0))
		assert.Zero(t, r.log.FilterMessageSnippet(says).Len(), "without a close nothing is known yet")
		for i := range int64(20) {
			r.consume(t, withoutDrops(start()+i*10_000, 1))
			time.Sleep(10 * time.Second)
		}
		logged := r.log.FilterMessageSnippet(says).All()
		require.Len(t, logged, 1, "once")
		assert.Equal(t, "ws_connection_drop_rate", logged[0].ContextMap()["rule"])
		assert.Equal(t, "eu-west-1", logged[0].ContextMap()["region"])
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Empty(t, r.bodies(), "neither firing nor missing data")
		r.end(t)
	})
}

func TestUnknownMetricNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ws.droprate": "ws.drop_rate", "ws.drop_rat": "ws.drop_rate", "ws_drop_rate": "ws.drop_rate", "ws.activeConnections": "ws.active_connections",
		"ws.clockskew": "ws.clock.skew", "ws.messages_sent": "ws.messages.sent",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := begin(t, configured(t, "rules: [{ name: a, metric: "+name+", severity: w, threshold: { above: 1 } }]"), newDisk(), nil)
			logged := r.log.FilterMessageSnippet("does not emit").All()
			require.Len(t, logged, 1, name)
			assert.Equal(t, want, logged[0].ContextMap()["did_you_mean"], name)
			warnings := configured(t, "rules: [{ name: a, metric: "+name+", severity: w, threshold: { above: 1 } }]").Warnings()
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], "rules[a]::metric: "+name)
			assert.Contains(t, warnings[0], "did you mean "+want+"?")
			r.end(t)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, "rules: [{ name: a, metric: queue.depth, severity: w, threshold: { above: 1 } }, { name: b, metric: ws.drop_rate, severity: w, threshold: { above: 1 } }]"), newDisk(), nil)
		assert.Zero(t, r.log.FilterMessageSnippet("does not emit").Len())
		r.end(t)
	})
}

// What ws_metrics emits is known.
func TestMetricNames_AreThoseOfTheConnector(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", "wsmetricsconnector", "metrics.go"))
	require.NoError(t, err)
	names := regexp.MustCompile(`"(ws\.[a-z_.]+)"`).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		assert.Contains(t, metricNames, name[1])
	}
}

func TestValidate_MissingCalendarFile(t *testing.T) {
	t.Parallel()
	config := configured(t, "rules: [{ name: a, metric: m, severity: w, threshold: { above: 1 } }]")
	config.Rules[0].Mute = []RangeConfig{{ICal: "no/such.ics"}}
	err := config.Validate()
	require.ErrorContains(t, err, "rules[a]::mute[0]: ical: ")
	directory, wdErr := os.Getwd()
	require.NoError(t, wdErr)
	require.ErrorContains(t, err, filepath.Join(directory, "no", "such.ics"))
	assert.Equal(t, 1, strings.Count(err.Error(), "such.ics"))
	config.Rules[0].Mute[0].ICal = t.TempDir()
	require.ErrorContains(t, config.Validate(), "is a directory")
}
