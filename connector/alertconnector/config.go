// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the connector; see the README.
type Config struct {
	// Storage is the storage extension that holds baselines and alerts over restarts.
	Storage *component.ID `mapstructure:"storage"`
	// RepeatInterval is the time after which a firing alert is emitted again.
	RepeatInterval time.Duration `mapstructure:"repeat_interval"`
	// MaxSeries bounds the series of a rule.
	MaxSeries int `mapstructure:"max_series"`
	// Rules are the rules to apply.
	Rules []RuleConfig `mapstructure:"rules"`
	// RulesFile is a YAML file of further rules that is applied when it changes.
	RulesFile string `mapstructure:"rules_file"`
	// Heartbeat is an alert that always fires.
	Heartbeat configoptional.Optional[HeartbeatConfig] `mapstructure:"heartbeat"`
}

// HeartbeatConfig is an alert that always fires, for a receiver that alerts when it is absent.
type HeartbeatConfig struct {
	// Interval is the time after which it is emitted again.
	Interval time.Duration `mapstructure:"interval"`
	// Name is that of the alert.
	Name string `mapstructure:"name"`
}

// RuleConfig is a rule.
type RuleConfig struct {
	// Name is the name of the alert.
	Name string `mapstructure:"name"`
	// Metric is a gauge or a sum.
	Metric string `mapstructure:"metric"`
	// Of is the mode of the value: value, increase or rate.
	Of string `mapstructure:"of"`
	// Match are regular expressions that match full values of attributes.
	Match map[string]string `mapstructure:"match"`
	// By are the attributes that identify a series; none means all.
	By []string `mapstructure:"by"`
	// Aggregate combines the points that By puts into one series: sum, max, min or
	// mean.
	Aggregate string `mapstructure:"aggregate"`
	// Interval is the time from one window to the next; 0s takes it from the data.
	Interval time.Duration `mapstructure:"interval"`
	// Level is the only severity.
	Level LevelConfig `mapstructure:",squash"`
	// Severities replace Level where there are several.
	Severities []LevelConfig `mapstructure:"severities"`
	// Baseline is the reference of percentages.
	Baseline *BaselineConfig `mapstructure:"baseline"`
	// Mute are times in which nothing fires.
	Mute []RangeConfig `mapstructure:"mute"`
	// Context is a template of text for the on-call person.
	Context string `mapstructure:"context"`
	// RunbookURL is carried in the alert.
	RunbookURL string `mapstructure:"runbook_url"`
	// Annotations are carried in the alert.
	Annotations map[string]string `mapstructure:"annotations"`
	// RepeatInterval is this rule's own; 0s is the connector's.
	RepeatInterval time.Duration `mapstructure:"repeat_interval"`
	// MaxSeries is this rule's own; 0 is the connector's.
	MaxSeries int `mapstructure:"max_series"`
	// Expire is the time without data after which a firing alert is resolved.
	Expire time.Duration `mapstructure:"expire"`
}

// LevelConfig is one severity.
type LevelConfig struct {
	Severity  string          `mapstructure:"severity"`
	Threshold ThresholdConfig `mapstructure:"threshold"`
	// For is how many consecutive windows have to breach the threshold; 0 is 1.
	For int `mapstructure:"for"`
	// Clear is when the alert is resolved.
	Clear *ClearConfig `mapstructure:"clear"`
	// NoData is the number of expected windows without a sample after which it fires; 0 is never.
	NoData int `mapstructure:"no_data"`
}

// ThresholdConfig is one of these limits. All are strict.
type ThresholdConfig struct {
	Above                  *float64 `mapstructure:"above"`
	Below                  *float64 `mapstructure:"below"`
	Outside                *float64 `mapstructure:"outside"`
	PercentOfBaseline      *float64 `mapstructure:"percent_of_baseline"`
	BelowPercentOfBaseline *float64 `mapstructure:"below_percent_of_baseline"`
}

// ClearConfig configures when an alert is resolved: at most one limit, and the number of
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

// BaselineConfig configures the baseline of a rule.
type BaselineConfig struct {
	Quantile          float64       `mapstructure:"quantile"`
	Lookback          time.Duration `mapstructure:"lookback"`
	MinHistory        time.Duration `mapstructure:"min_history"`
	Season            SeasonConfig  `mapstructure:"season"`
	Exclude           []RangeConfig `mapstructure:"exclude"`
	IncludeFiring     bool          `mapstructure:"include_firing"`
	IncludeIncomplete bool          `mapstructure:"include_incomplete"`
}

// Unmarshal sets the defaults, since the items of a list have none.
func (c *BaselineConfig) Unmarshal(conf *confmap.Conf) error {
	*c = BaselineConfig{Quantile: 0.95, Lookback: 7 * 24 * time.Hour, MinHistory: 24 * time.Hour, IncludeFiring: true}
	return conf.Unmarshal(c)
}

// SeasonConfig selects the hours that are compared with each other. A text is its period.
type SeasonConfig struct {
	// Period is hour_of_day or hour_of_week.
	Period string `mapstructure:"period"`
	// Timezone is that of the hours and of the holidays; empty is UTC.
	Timezone string `mapstructure:"timezone"`
	// Holidays are days that are compared with each other, and with no other day.
	Holidays HolidaysConfig `mapstructure:"holidays"`
}

// HolidaysConfig is a calendar of holidays.
type HolidaysConfig struct {
	// ICal is an iCalendar file.
	ICal string `mapstructure:"ical"`
}

// UnmarshalText reads a period without a time zone.
func (c *SeasonConfig) UnmarshalText(text []byte) error {
	*c = SeasonConfig{Period: string(text)}
	return nil
}

// RangeConfig is a set of times: from start to end, for a duration from each time of cron,
// or the events of an iCalendar file.
type RangeConfig struct {
	Start    time.Time     `mapstructure:"start"`
	End      time.Time     `mapstructure:"end"`
	Cron     string        `mapstructure:"cron"`
	Duration time.Duration `mapstructure:"duration"`
	ICal     string        `mapstructure:"ical"`
	// Timezone is that of cron, and of times in the file without one.
	Timezone string `mapstructure:"timezone"`
}

var _ component.Config = (*Config)(nil)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }
