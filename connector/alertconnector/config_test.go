// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadata"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

func everything() RuleConfig {
	storage := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	return RuleConfig{
		Name: "everything", Metric: "ws.active_connections", Of: "value", Match: map[string]string{"region": "us-.*"},
		By: []string{"tenant_id", "region"}, Aggregate: "sum", Interval: 9 * time.Second,
		Severities: []LevelConfig{
			{
				Severity: "warning", Threshold: ThresholdConfig{PercentOfBaseline: new(120.0)}, For: 2,
				Clear: &ClearConfig{PercentOfBaseline: new(110.0), For: 3},
			},
			{Severity: "critical", Threshold: ThresholdConfig{Above: new(5000.0)}, NoData: 10},
		},
		Baseline: &BaselineConfig{
			Quantile: 0.99, Lookback: 336 * time.Hour, MinHistory: 48 * time.Hour, Season: SeasonConfig{Period: "hour_of_week", Timezone: "Europe/Berlin", Holidays: HolidaysConfig{ICal: "testdata/campaigns.ics"}},
			Exclude: []RangeConfig{
				{Start: storage, End: time.Date(2026, 12, 1, 0, 0, 0, 0, time.FixedZone("", 3600))},
				{Cron: "0 18 * * MON", Duration: 2 * time.Hour, Timezone: "Europe/Berlin"},
				{ICal: "testdata/campaigns.ics"},
			},
			IncludeFiring: true, IncludeIncomplete: true,
		},
		Mute: []RangeConfig{{Cron: "@daily", Duration: 10 * time.Minute}}, Context: "{{.Labels.region}}: {{.Value}}",
		RunbookURL: "https://runbooks.example.com/connections", Annotations: map[string]string{"team": "voice"},
		RepeatInterval: 30 * time.Minute, MaxSeries: 10, Expire: 2 * time.Hour,
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	storage := component.MustNewIDWithName("file_storage", "state")
	for name, c := range map[string]struct {
		want   *Config  // of a good one
		errors []string // of a bad one
	}{
		"": {want: &Config{RepeatInterval: 4 * time.Hour, MaxSeries: 10_000, Rules: []RuleConfig{
			{Name: "a", Metric: "m", Level: LevelConfig{Severity: "warning", Threshold: ThresholdConfig{Above: new(0.5)}}},
		}}},
		"all": {want: &Config{Storage: &storage, RepeatInterval: time.Hour, MaxSeries: 50, Rules: []RuleConfig{everything()}}},
		"baseline_defaults": {want: &Config{RepeatInterval: 4 * time.Hour, MaxSeries: 10_000, Rules: []RuleConfig{{
			Name: "a", Metric: "m", Level: LevelConfig{Severity: "warning", Threshold: ThresholdConfig{PercentOfBaseline: new(120.0)}},
			Baseline: &BaselineConfig{Quantile: 0.95, Lookback: 168 * time.Hour, MinHistory: 24 * time.Hour, IncludeFiring: true},
		}}}},
		"nothing": {errors: []string{"rules: []: there must be at least one"}},
		"empty": {errors: []string{
			"repeat_interval: 0s: must be at least 1s", "max_series: 0: must be at least 1", `rules[0]::name: "": must not be empty`,
			`rules[0]::metric: "": must not be empty`, `rules[0]::severity: "": must not be empty`, "rules[0]::threshold:",
		}},
		"twice": {errors: []string{"rules[a]::name: a: another rule has it"}},
		"words": {errors: []string{
			"rules[a]::of: delta: must be value, increase or rate", "rules[a]::aggregate: median: must be sum, max, min or mean",
			"rules[a]::match::region: us-(:", "rules[a]::interval: -1s: must be at least 100ms", "rules[b]::aggregate: sum: needs by",
			"rules[b]::runbook_url: runbook: must be an absolute URL", "rules[b]::expire: -1s", "rules[b]::max_series: -1", "rules[b]::repeat_interval: -1s",
		}},
		"thresholds": {errors: []string{
			"rules[two]::threshold: [above below]", "must be one of above, below, outside", "rules[nobase]::threshold: [percent_of_baseline]: needs baseline",
			"rules[nan]::threshold::above: NaN: must be a number", "rules[clear_of_nothing]::clear: [below]: needs a threshold", "rules[nan]::for: -1: must be at least 1", "rules[nan]::no_data: -1",
			"rules[clear]::clear:", "rules[clear]::clear::for: -1", "rules[way_back]::clear: [percent_of_baseline]: needs",
			"rules[both]::severity: warning:", "rules[both]::severities[1]::severity: info: is there twice",
		}},
		"baseline": {errors: []string{
			"rules[a]::baseline::quantile: 95: must be from 0 to 1", "rules[a]::baseline::lookback: 1h30m0s: must be whole hours",
			"rules[a]::baseline::min_history: 200h0m0s: must be from 0s to lookback", "rules[a]::baseline::season: summer: must be",
			"rules[b]::baseline::lookback: 24h0m0s: is shorter than a season",
			"rules[c]::baseline::season::timezone: Mars/Olympus: unknown time zone", "rules[d]::baseline::season::holidays::ical:",
		}},
		"heartbeat":      {errors: []string{"heartbeat::interval: 1s: must be at least 10s", `heartbeat::name: "": must not be empty`}},
		"heartbeat_name": {errors: []string{"rules[Watchdog]::name: Watchdog: the heartbeat has it"}},
		"ranges": {errors: []string{
			"rules[a]::mute[0]: must be one of", "rules[a]::mute[1]: end: 2026-11-26T00:00:00Z: must be after start",
			`rules[a]::mute[2]: cron: "* * * *"`, "rules[a]::mute[3]: duration: 0s: must be at least 1s",
			"rules[a]::mute[4]: must be one of", `rules[a]::mute[5]: timezone: "Mars/Olympus"`,
		}},
		"contexts": {errors: []string{
			"rules[syntax]::context: \"{{.Value\": template: context:1: unclosed action", "rules[field]::context", "Vaule",
			"rules[loop]::context", "range and template are not supported in a context", "rules[define]::context", "rules[huge]::context", "its output exceeds",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
			require.NoError(t, err)
			config := createDefaultConfig().(*Config)
			require.NoError(t, section.Unmarshal(config))
			err = config.Validate()
			if c.want != nil {
				require.NoError(t, err)
				assert.EqualExportedValues(t, c.want, config)
			}
			for _, message := range c.errors {
				assert.ErrorContains(t, err, message)
			}
		})
	}
}

// Whatever stands in a context, it is refused or it ends, and is bounded.
func FuzzContext(f *testing.F) {
	for _, text := range []string{
		"plain", "{{.Value}}", "{{if gt .Value 1.0}}a{{else}}b{{end}}", "{{with .Labels.region}}{{.}}{{end}}",
		"{{printf \"%.2f\" .Value}}", "{{index .Snapshot \"ws.drop_rate\"}}", "{{range .Labels}}{{end}}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if checkContext(text) != nil {
			return
		}
		parsed, err := parseContext(text)
		require.NoError(t, err)
		made, _ := render(parsed, &templateData{Value: 1.5, Labels: map[string]string{"region": "eu"}})
		assert.LessOrEqual(t, len(made), maxContext)
	})
}

// Whatever a configuration holds, it is refused, or rules can be made of it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		rules, _, err := config.rules()
		require.NoError(t, err)
		_, err = config.ruleTemplates()
		require.NoError(t, err)
		assert.Len(t, rules, len(config.Rules))
	},
		dropRule,
		usualRule,
		"rules: [{ name: a, metric: m, severities: [{ severity: w, threshold: { outside: 1 }, clear: { inside: 2, for: 3 } }], mute: [{ cron: '@daily', duration: 1h }] }]",
		"rules: [{ name: a, metric: m, severity: w, threshold: { below: 1 }, baseline: { season: hour_of_day, exclude: [{ start: 2026-11-27, end: 2026-11-28 }] } }]",
	)
}

func TestContext_UnknownFieldNamesTheFields(t *testing.T) {
	t.Parallel()
	require.EqualError(t, checkContext("{{.Value}} of {{.AlertId}}"),
		".AlertId: the template has no such field; the fields are .Rule, .Metric, .Severity, .Status, .Reason, .FaultDomain, .Value, .Threshold, .Baseline, .Labels, .Snapshot, .Traces")
	assert.NoError(t, checkContext(`{{.Labels.tenant_id}} {{printf "%.0f" .Value}}`))
}
