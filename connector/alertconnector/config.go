// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the connector; see the README.
type Config struct {
	// Storage is the extension that keeps baselines and alerts over restarts.
	Storage *component.ID `mapstructure:"storage"`
	// RepeatInterval is after how long an alert that still fires is told again.
	RepeatInterval time.Duration `mapstructure:"repeat_interval"`
	// MaxSeries bounds the series of a rule.
	MaxSeries int `mapstructure:"max_series"`
	// Rules are what to watch.
	Rules []RuleConfig `mapstructure:"rules"`
}

// RuleConfig says when to alert about a metric.
type RuleConfig struct {
	// Name is what the alert is called.
	Name string `mapstructure:"name"`
	// Metric is a gauge or a sum.
	Metric string `mapstructure:"metric"`
	// Of is what of the metric counts: value, increase or rate.
	Of string `mapstructure:"of"`
	// Match are regular expressions for whole values of attributes.
	Match map[string]string `mapstructure:"match"`
	// By are the attributes that make a series; none means all.
	By []string `mapstructure:"by"`
	// Aggregate is how points that By puts into one series become one: sum, max, min
	// or mean.
	Aggregate string `mapstructure:"aggregate"`
	// Interval is the time from one window to the next; 0s takes it from the data.
	Interval time.Duration `mapstructure:"interval"`
	// Level is the only severity.
	Level LevelConfig `mapstructure:",squash"`
	// Severities are several.
	Severities []LevelConfig `mapstructure:"severities"`
	// Baseline is what percentages are of.
	Baseline *BaselineConfig `mapstructure:"baseline"`
	// Mute are times in which nothing fires.
	Mute []RangeConfig `mapstructure:"mute"`
	// Context is a template for people.
	Context string `mapstructure:"context"`
	// RunbookURL says what to do.
	RunbookURL string `mapstructure:"runbook_url"`
	// Annotations are carried along.
	Annotations map[string]string `mapstructure:"annotations"`
	// RepeatInterval is this rule's own; 0s takes the connector's.
	RepeatInterval time.Duration `mapstructure:"repeat_interval"`
	// MaxSeries is this rule's own; 0 takes the connector's.
	MaxSeries int `mapstructure:"max_series"`
	// Expire is how long a series may be silent before what fires is given up.
	Expire time.Duration `mapstructure:"expire"`
}

// LevelConfig is one severity.
type LevelConfig struct {
	Severity  string          `mapstructure:"severity"`
	Threshold ThresholdConfig `mapstructure:"threshold"`
	// For is how many consecutive windows have to be beyond the threshold; 0 is 1.
	For int `mapstructure:"for"`
	// Clear is when the alert is resolved.
	Clear *ClearConfig `mapstructure:"clear"`
	// NoData is after how many expected windows without a sample it fires; 0 is never.
	NoData int `mapstructure:"no_data"`
}

// ThresholdConfig is one of these. All are strict.
type ThresholdConfig struct {
	Above                  *float64 `mapstructure:"above"`
	Below                  *float64 `mapstructure:"below"`
	Outside                *float64 `mapstructure:"outside"`
	PercentOfBaseline      *float64 `mapstructure:"percent_of_baseline"`
	BelowPercentOfBaseline *float64 `mapstructure:"below_percent_of_baseline"`
}

// ClearConfig is when an alert is resolved: at most one limit, and for how many
// consecutive windows.
type ClearConfig struct {
	Above  *float64 `mapstructure:"above"`
	Below  *float64 `mapstructure:"below"`
	Inside *float64 `mapstructure:"inside"`
	// PercentOfBaseline is on the way back: below it when the threshold is above,
	// above it when the threshold is below.
	PercentOfBaseline *float64 `mapstructure:"percent_of_baseline"`
	For               int      `mapstructure:"for"` // 0 is 1
}

// BaselineConfig says what is usual.
type BaselineConfig struct {
	Quantile          float64       `mapstructure:"quantile"`
	Lookback          time.Duration `mapstructure:"lookback"`
	MinHistory        time.Duration `mapstructure:"min_history"`
	Season            string        `mapstructure:"season"`
	Exclude           []RangeConfig `mapstructure:"exclude"`
	IncludeFiring     bool          `mapstructure:"include_firing"`
	IncludeIncomplete bool          `mapstructure:"include_incomplete"`
}

// Unmarshal sets the defaults, which a list of rules cannot have otherwise.
func (c *BaselineConfig) Unmarshal(conf *confmap.Conf) error {
	*c = BaselineConfig{Quantile: 0.95, Lookback: 7 * 24 * time.Hour, MinHistory: 24 * time.Hour, IncludeFiring: true}
	return conf.Unmarshal(c)
}

// RangeConfig is a set of times: from start to end, or for a duration whenever
// cron says so, or the events of an iCalendar file.
type RangeConfig struct {
	Start    time.Time     `mapstructure:"start"`
	End      time.Time     `mapstructure:"end"`
	Cron     string        `mapstructure:"cron"`
	Duration time.Duration `mapstructure:"duration"`
	ICal     string        `mapstructure:"ical"`
	// Timezone is of cron, and of times in the file that name none.
	Timezone string `mapstructure:"timezone"`
}

var _ component.Config = (*Config)(nil)

// Unmarshal refuses durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }
