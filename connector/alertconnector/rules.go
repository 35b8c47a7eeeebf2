// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/calendar"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// The words of the configuration and their values.
var (
	modes = map[string]engine.ValueMode{
		"": engine.ModeDefault, "value": engine.ModeValue, "increase": engine.ModeIncrease, "rate": engine.ModeRate,
	}
	aggregates = map[string]engine.Aggregate{
		"": engine.Sum, "sum": engine.Sum, "max": engine.Max, "min": engine.Min, "mean": engine.Mean,
	}
	seasons = map[string]baseline.Season{
		"": baseline.NoSeason, "hour_of_day": baseline.HourOfDay, "hour_of_week": baseline.HourOfWeek,
	}
)

// defaultExpire is the time without data after which a firing alert is resolved.
const defaultExpire = 24 * time.Hour

// rules returns the rules of a valid configuration for the engine, and the files of its
// calendars.
func (c *Config) rules() ([]*engine.Rule, []*calendarFile, error) {
	var rules []*engine.Rule
	var files []*calendarFile
	for i := range c.Rules {
		r := &c.Rules[i]
		made := r.rule(c)
		var err error
		if made.Mute, err = ranges(r.Mute, &files); err != nil {
			return nil, nil, err
		}
		if b := r.Baseline; b != nil {
			if made.Exclude, err = ranges(b.Exclude, &files); err != nil {
				return nil, nil, err
			}
			if err = b.Season.apply(made.Baseline, &files); err != nil {
				return nil, nil, err
			}
		}
		rules = append(rules, made)
	}
	return rules, files, nil
}

func (r *RuleConfig) rule(c *Config) *engine.Rule {
	made := &engine.Rule{
		Name: r.Name, Metric: r.Metric, Mode: modes[r.Of], Aggregate: aggregates[r.Aggregate],
		Interval: r.Interval.Milliseconds(), MaxSeries: cmp.Or(r.MaxSeries, c.MaxSeries),
		Expire: cmp.Or(r.Expire, defaultExpire).Milliseconds(), Match: map[string]*regexp.Regexp{},
	}
	for name, pattern := range r.Match {
		made.Match[name], _ = fullMatch(pattern) // it was validated
	}
	if len(r.By) > 0 {
		made.By = slices.Compact(slices.Sorted(slices.Values(r.By)))
	}
	levels := r.Severities
	if len(levels) == 0 {
		levels = []LevelConfig{r.Level}
	}
	for i := range levels {
		level := levels[i].level()
		level.Repeat = cmp.Or(r.RepeatInterval, c.RepeatInterval).Milliseconds()
		made.Levels = append(made.Levels, level)
	}
	if b := r.Baseline; b != nil {
		made.Baseline = &baseline.Config{Quantile: b.Quantile, Lookback: b.Lookback, MinHistory: b.MinHistory}
		made.IncludeFiring, made.IncludeIncomplete = b.IncludeFiring, b.IncludeIncomplete
	}
	return made
}

// apply sets the season of a baseline.
func (c *SeasonConfig) apply(to *baseline.Config, files *[]*calendarFile) (err error) {
	to.Season = seasons[c.period()]
	if to.Zone, err = time.LoadLocation(c.Timezone); err != nil || c.Holidays.ICal == "" {
		return err
	}
	begin := len(*files)
	days, err := ranges([]RangeConfig{{ICal: c.Holidays.ICal, Timezone: c.Timezone}}, files)
	if err != nil {
		return err
	}
	to.Holidays = baseline.NewHolidays(days.Covers)
	for _, file := range (*files)[begin:] {
		file.changed = to.Holidays.Reset
	}
	return nil
}

// period is the hour of the day where only a time zone or holidays are set.
func (c *SeasonConfig) period() string {
	if c.Period == "" && *c != (SeasonConfig{}) {
		return "hour_of_day"
	}
	return c.Period
}

func (l *LevelConfig) level() rule.Level {
	made := rule.Level{Severity: l.Severity, For: max(1, l.For), ClearFor: 1, NoData: l.NoData}
	t := &l.Threshold
	made.Threshold = rule.Limit{Kind: rule.Never}
	if threshold := limit(map[rule.Kind]*float64{
		rule.Above: t.Above, rule.Below: t.Below, rule.Outside: t.Outside,
		rule.AbovePercentOfBaseline: t.PercentOfBaseline, rule.BelowPercentOfBaseline: t.BelowPercentOfBaseline,
	}); threshold != nil {
		made.Threshold = *threshold
	}
	if c := l.Clear; c != nil {
		back := rule.BelowPercentOfBaseline
		if t.BelowPercentOfBaseline != nil {
			back = rule.AbovePercentOfBaseline
		}
		made.Clear = limit(map[rule.Kind]*float64{rule.Above: c.Above, rule.Below: c.Below, rule.Inside: c.Inside, back: c.PercentOfBaseline})
		made.ClearFor = max(1, c.For)
	}
	return made
}

// limit returns the limit that is set, or nil.
func limit(of map[rule.Kind]*float64) *rule.Limit {
	for _, kind := range slices.Sorted(maps.Keys(of)) {
		if value := of[kind]; value != nil {
			return &rule.Limit{Kind: kind, Value: *value}
		}
	}
	return nil
}

// ranges returns a calendar. The events of files are added when they are read.
func ranges(configs []RangeConfig, files *[]*calendarFile) (*calendar.Calendar, error) {
	var made []calendar.Range
	var after []*calendarFile
	for i := range configs {
		c := &configs[i]
		zone, err := c.zone()
		if err != nil {
			return nil, err
		}
		switch {
		case c.ICal != "":
			after = append(after, &calendarFile{path: c.ICal, zone: zone, position: len(made)})
			made = append(made, &calendar.Events{})
		case c.Cron != "":
			recurring, err := calendar.NewCron(c.Cron, zone, c.Duration)
			if err != nil {
				return nil, err
			}
			made = append(made, recurring)
		default:
			made = append(made, calendar.Once{Start: c.Start, End: c.End})
		}
	}
	combined := calendar.New(made...)
	for _, file := range after {
		file.calendar = combined
	}
	*files = append(*files, after...)
	return combined, nil
}
