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

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
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
		r := begin(t, configured(t, dropRules), owntest.NewStorage(), nil)
		const says = "Rule cannot fire for a stream"
		r.consume(t, withoutDrops(start(), 0))
		assert.Zero(t, r.log.FilterMessageSnippet(says).Len(), "without a close nothing is known yet")
		for i := range int64(20) {
			r.consume(t, withoutDrops(start()+i*10_000, 1))
			time.Sleep(10 * time.Second)
			if i == 0 {
				assert.Zero(t, r.log.FilterMessageSnippet(says).Len(), "the first close says nothing")
			}
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

// A platform that has classified a close reports drops, though many of the closes before
// and after it, or a drop rate without open connections, are absent.
func TestAbsent_DropsAreClassifiedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRules), owntest.NewStorage(), nil)
		for i := range int64(40) {
			window := withoutDrops(start()+i*10_000, 1)
			if i == 5 {
				dropped := window.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
				dropped.At(1).CopyTo(dropped.AppendEmpty())
				dropped.At(2).SetName("ws.connections.dropped")
			}
			r.consume(t, window)
			time.Sleep(10 * time.Second)
		}
		assert.Zero(t, r.log.FilterMessageSnippet("Rule cannot fire for a stream").Len())
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
			r := begin(t, configured(t, "rules: [{ name: a, metric: "+name+", severity: w, threshold: { above: 1 } }]"), owntest.NewStorage(), nil)
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
		r := begin(t, configured(t, "rules: [{ name: a, metric: queue.depth, severity: w, threshold: { above: 1 } }, { name: b, metric: ws.drop_rate, severity: w, threshold: { above: 1 } }]"), owntest.NewStorage(), nil)
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

func TestValidate_InvalidCalendarFile(t *testing.T) {
	t.Parallel()
	config := configured(t, "rules: [{ name: a, metric: m, severity: w, threshold: { above: 1 }, baseline: {} }]")
	file := filepath.Join(t.TempDir(), "campaigns.ics")
	for text, want := range map[string]string{
		"hello": `line 1: "hello": must be BEGIN:VCALENDAR`,
		calendarOf("20261127T000000Z", "2026-12-01"): `line 7: event "Sale": DTEND: "2026-12-01" is not a time`,
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		config.Rules[0].Mute = []RangeConfig{{ICal: file}}
		require.ErrorContains(t, config.Validate(), "rules[a]::mute[0]: ical: "+file+": cannot be read: "+want)
		config.Rules[0].Mute, config.Rules[0].Baseline.Exclude = nil, []RangeConfig{{ICal: file}}
		require.ErrorContains(t, config.Validate(), "rules[a]::baseline::exclude[0]: ical: "+file+": cannot be read: "+want)
		config.Rules[0].Baseline.Exclude = nil
	}
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Truncate(file, maxCalendarSize+1))
	config.Rules[0].Mute = []RangeConfig{{ICal: file}}
	require.ErrorContains(t, config.Validate(), "is 10485761 bytes long, at most 10485760 are read")
	config.Rules[0].Mute = []RangeConfig{{ICal: os.DevNull}}
	require.ErrorContains(t, config.Validate(), "is not a regular file")
}

// The address of a calendar is often a secret.
func TestValidate_CalendarURL(t *testing.T) {
	t.Parallel()
	config := configured(t, "rules: [{ name: a, metric: m, severity: w, threshold: { above: 1 } }]")
	for address, want := range map[string]string{
		"https://user:pass@calendar.example.com/private-0a1b/basic.ics": "ical: https://calendar.example.com…: must be a file, not a URL",
		"webcal://calendar.example.com?key=0a1b":                        "ical: webcal://calendar.example.com…: must be a file, not a URL",
		"file:///etc/campaigns.ics":                                     "ical: file://…: must be a file, not a URL",
	} {
		config.Rules[0].Mute = []RangeConfig{{ICal: address}}
		err := config.Validate()
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "0a1b")
		assert.NotContains(t, err.Error(), "pass@")
	}
}

func TestWarnings_UnknownAttributes(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string][]string{
		"metric: ws.messages, match: { channel_typ: webmessaging }":                         {"rules[a]::match: channel_typ: Metric has no such attribute; the rule matches nothing", "did you mean channel_type?"},
		"metric: ws.messages, by: [tenant, region]":                                         {"rules[a]::by[0]: tenant: Metric has no such attribute; series are merged", "did you mean tenant_id?"},
		"metric: ws.drop_rate, by: [tenant_id, regoin]":                                     {"rules[a]::by[1]: regoin: ", "did you mean region?"},
		"metric: ws.drop_rate, by: [tenant.id]":                                             {"did you mean tenant_id?"},
		"metric: ws.drop_rate, by: [team]":                                                  {"rules[a]::by[0]: team: Metric has no such attribute"},
		"metric: ws.alert.firing, by: [rule, severty]":                                      {"rules[a]::by[1]: severty: ", "did you mean severity?"},
		"metric: ws.drop_rate, by: [tenant_id, region, channel_type, otel.metric.overflow]": nil,
		"metric: ws.drop_rate, by: [service.name], match: { k8s.cluster.name: prod }":       nil,
		"metric: ws.alert.firing, by: [rule, severity, metric, queue]":                      nil,
		"metric: queue.depth, by: [queue], match: { tenant: a }":                            nil,
	} {
		config := configured(t, "rules: [{ name: a, severity: w, threshold: { above: 1 }, "+rule+" }]")
		warnings := config.Warnings()
		require.Len(t, warnings, min(1, len(want)), rule)
		for _, text := range want {
			assert.Contains(t, warnings[0], text, rule)
		}
		if len(want) == 1 {
			assert.NotContains(t, warnings[0], "did you mean ?")
		}
		synctest.Test(t, func(t *testing.T) {
			r := begin(t, config, nil, nil)
			assert.Equal(t, len(warnings), r.log.FilterMessageSnippet("has no such attribute").Len(), "it is logged at start, too")
			r.end(t)
		})
	}
}

func TestWarnings_PercentageThatIsARatio(t *testing.T) {
	t.Parallel()
	const small = "Percentage of the baseline is so small that a ratio may be meant"
	for level, want := range map[string]string{
		"severity: w, threshold: { percent_of_baseline: 1.2 }":                                         "rules[a]::threshold::percent_of_baseline: 1.2: " + small + "; 120 is 120 %; did you mean 120?",
		"severity: w, threshold: { percent_of_baseline: 5 }":                                           "threshold::percent_of_baseline: 5: ",
		"severity: w, threshold: { percent_of_baseline: 0 }":                                           "threshold::percent_of_baseline: 0: ",
		"severity: w, threshold: { below_percent_of_baseline: 0.5 }":                                   "threshold::below_percent_of_baseline: 0.5: " + small + "; 120 is 120 %; did you mean 50?",
		"severity: w, threshold: { percent_of_baseline: 120 }, clear: { percent_of_baseline: 1.1 }":    "rules[a]::clear::percent_of_baseline: 1.1: ",
		"severities: [{ severity: w, threshold: { percent_of_baseline: 2 } }]":                         "rules[a]::severities[0]::threshold::percent_of_baseline: 2: ",
		"severity: w, threshold: { percent_of_baseline: 5.1 }":                                         "",
		"severity: w, threshold: { below_percent_of_baseline: 2 }, clear: { percent_of_baseline: 10 }": "",
	} {
		config := configured(t, "rules: [{ name: a, metric: m, baseline: {}, "+level+" }]")
		warnings := config.Warnings()
		if want == "" {
			assert.Empty(t, warnings, level)
			continue
		}
		require.Len(t, warnings, 1, level)
		assert.Contains(t, warnings[0], want)
	}
}
