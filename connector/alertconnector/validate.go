// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/calendar"
)

// problems collects errors, each with its key.
type problems struct{ errs []error }

func (p *problems) refuse(key string, value any, rule string) {
	p.errs = append(p.errs, fmt.Errorf("%s: %v: %s", key, value, rule))
}

// refuseIf adds an error if bad.
func (p *problems) refuseIf(bad bool, key string, value any, rule string) {
	if bad {
		p.refuse(key, value, rule)
	}
}

// Validate returns all invalid settings, each with its key.
func (c *Config) Validate() error {
	p := &problems{}
	p.refuseIf(c.RepeatInterval < minRepeat, "repeat_interval", c.RepeatInterval, "must be at least 1s")
	p.refuseIf(c.MaxSeries < 1, "max_series", c.MaxSeries, "must be at least 1")
	if c.Heartbeat.HasValue() {
		p.refuseIf(c.Heartbeat.Get().Interval < minHeartbeat, "heartbeat::interval", c.Heartbeat.Get().Interval, "must be at least 10s")
		p.refuseIf(c.Heartbeat.Get().Name == "", "heartbeat::name", `""`, "must not be empty")
	}
	p.refuseIf(len(c.Rules) == 0 && c.RulesFile == "", "rules", c.Rules, "there must be at least one, or a rules_file")
	c.validateRules(p)
	if len(p.errs) == 0 {
		if _, _, err := c.effective(); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	return errors.Join(p.errs...)
}

func (c *Config) validateRules(p *problems) {
	names := map[string]bool{}
	for i := range c.Rules {
		r := &c.Rules[i]
		key := fmt.Sprintf("rules[%d]", i)
		if r.Name != "" {
			key = fmt.Sprintf("rules[%s]", r.Name)
		}
		p.refuseIf(names[r.Name], key+"::name", r.Name, "another rule has it; several severities go into one rule, see severities")
		p.refuseIf(c.Heartbeat.HasValue() && r.Name == c.Heartbeat.Get().Name, key+"::name", r.Name, "the heartbeat has it")
		names[r.Name] = true
		r.validate(p, key+"::")
	}
}

// Lower bounds of durations: an alert that repeats faster floods its receiver, and no
// window is shorter than 100 ms.
const (
	minRepeat    = time.Second
	minHeartbeat = 10 * time.Second
	minInterval  = 100 * time.Millisecond
	minExpire    = time.Minute
	minRange     = time.Second
)

// maxLookback bounds the hours that a series keeps.
const maxLookback = 90 * 24 * time.Hour

func (r *RuleConfig) validate(p *problems, key string) {
	p.refuseIf(r.Name == "", key+"name", `""`, "must not be empty")
	p.refuseIf(r.Metric == "", key+"metric", `""`, "must not be empty")
	_, known := modes[r.Of]
	p.refuseIf(!known, key+"of", r.Of, "must be value, increase or rate")
	_, known = aggregates[r.Aggregate]
	p.refuseIf(!known, key+"aggregate", r.Aggregate, "must be sum, max, min or mean")
	p.refuseIf(r.Aggregate != "" && len(r.By) == 0, key+"aggregate", r.Aggregate, "needs by")
	p.refuseIf(r.Interval != 0 && r.Interval < minInterval, key+"interval", r.Interval, "must be at least 100ms; 0s takes it from the data")
	p.refuseIf(r.RepeatInterval != 0 && r.RepeatInterval < minRepeat, key+"repeat_interval", r.RepeatInterval, "must be at least 1s; 0s takes the connector's")
	p.refuseIf(r.MaxSeries < 0, key+"max_series", r.MaxSeries, "must not be negative")
	p.refuseIf(r.Expire != 0 && r.Expire < minExpire, key+"expire", r.Expire, fmt.Sprintf("must be at least 1m; 0s is %v", defaultExpire))
	for name, pattern := range r.Match {
		if _, err := fullMatch(pattern); err != nil {
			p.refuse(key+"match::"+name, pattern, err.Error())
		}
	}
	if r.RunbookURL != "" {
		u, err := url.Parse(r.RunbookURL)
		p.refuseIf(err != nil || u.Scheme == "" || u.Host == "", key+"runbook_url", r.RunbookURL, "must be an absolute URL")
	}
	if err := checkContext(r.Context); err != nil {
		p.refuse(key+"context", fmt.Sprintf("%q", r.Context), err.Error())
	}
	r.validateLevels(p, key)
	if r.Baseline != nil {
		r.Baseline.validate(p, key+"baseline::")
	}
	validateRanges(p, key+"mute", r.Mute)
}

func (r *RuleConfig) validateLevels(p *problems, key string) {
	single := r.Level.Severity != "" || r.Level.Threshold != (ThresholdConfig{}) || r.Level.For != 0 || r.Level.Clear != nil || r.Level.NoData != 0
	if len(r.Severities) == 0 {
		r.Level.validate(p, key, r.Baseline != nil)
		return
	}
	p.refuseIf(single, key+"severity", r.Level.Severity, "severity, threshold, for, clear and no_data go into the items of severities when there are some")
	names := map[string]bool{}
	for i := range r.Severities {
		l := &r.Severities[i]
		here := fmt.Sprintf("%sseverities[%d]::", key, i)
		p.refuseIf(names[l.Severity], here+"severity", l.Severity, "is there twice")
		names[l.Severity] = true
		l.validate(p, here, r.Baseline != nil)
	}
}

func (l *LevelConfig) validate(p *problems, key string, hasBaseline bool) {
	p.refuseIf(l.Severity == "", key+"severity", `""`, "must not be empty, say warning or critical")
	p.refuseIf(l.For < 0, key+"for", l.For, "must be at least 1")
	p.refuseIf(l.NoData < 0, key+"no_data", l.NoData, "must not be negative")
	t := l.Threshold
	limits := t.limits()
	set := limits.set(p, key+"threshold")
	p.refuseIf(len(set) > 1 || len(set) == 0 && l.NoData == 0, key+"threshold", set, "must be one of "+limits.names()+", or none where there is no_data")
	percent := t.PercentOfBaseline != nil || t.BelowPercentOfBaseline != nil
	p.refuseIf(percent && !hasBaseline, key+"threshold", set, "needs baseline")
	if c := l.Clear; c != nil {
		p.refuseIf(c.For < 0, key+"clear::for", c.For, "must be at least 1")
		limits := c.limits()
		set := limits.set(p, key+"clear")
		p.refuseIf(len(set) > 1, key+"clear", set, "must be at most one of "+limits.names())
		p.refuseIf(c.PercentOfBaseline != nil && !percent, key+"clear", set, "needs a threshold that is a percentage, too")
		p.refuseIf(len(t.limits().set(&problems{}, "")) == 0, key+"clear", set, "needs a threshold")
	}
}

// limits are the keys of limits and their values.
type limits []struct {
	name  string
	value *float64
}

func (c *ThresholdConfig) limits() limits {
	return limits{
		{"above", c.Above},
		{"below", c.Below},
		{"outside", c.Outside},
		{"percent_of_baseline", c.PercentOfBaseline},
		{"below_percent_of_baseline", c.BelowPercentOfBaseline},
	}
}

func (c *ClearConfig) limits() limits {
	return limits{{"above", c.Above}, {"below", c.Below}, {"inside", c.Inside}, {"percent_of_baseline", c.PercentOfBaseline}}
}

func (all limits) names() string {
	names := make([]string, len(all))
	for i, limit := range all {
		names[i] = limit.name
	}
	return strings.Join(names, ", ")
}

// set returns the names of the limits that are set, and adds an error for those that are
// not numbers.
func (all limits) set(p *problems, key string) (names []string) {
	for _, limit := range all {
		if limit.value != nil {
			names = append(names, limit.name)
			p.refuseIf(math.IsNaN(*limit.value) || math.Abs(*limit.value) > maxLimit, key+"::"+limit.name, *limit.value, "must be a number within ±1e15")
		}
	}
	return names
}

// maxLimit keeps a percentage of the largest value finite.
const maxLimit = 1e15

func (c *BaselineConfig) validate(p *problems, key string) {
	p.refuseIf(!(c.Quantile >= 0 && c.Quantile <= 1), key+"quantile", c.Quantile, "must be from 0 to 1")
	p.refuseIf(c.Lookback < time.Hour || c.Lookback > maxLookback || c.Lookback%time.Hour != 0, key+"lookback", c.Lookback,
		fmt.Sprintf("must be whole hours, from 1h to %v", maxLookback))
	p.refuseIf(c.MinHistory < 0 || c.MinHistory > c.Lookback, key+"min_history", c.MinHistory,
		fmt.Sprintf("must be from 0s to lookback (%v)", c.Lookback))
	season, ok := seasons[c.Season.period()]
	p.refuseIf(!ok, key+"season", c.Season.Period, "must be hour_of_day or hour_of_week")
	p.refuseIf(c.Lookback < time.Duration(season)*time.Hour, key+"lookback", c.Lookback, "is shorter than a season")
	zone, err := time.LoadLocation(c.Season.Timezone)
	if err != nil {
		p.refuse(key+"season::timezone", c.Season.Timezone, err.Error())
	} else if c.Season.Holidays.ICal != "" {
		if err = checkCalendar(c.Season.Holidays.ICal, zone); err != nil {
			p.errs = append(p.errs, fmt.Errorf("%sseason::holidays::%w", key, err))
		}
	}
	validateRanges(p, key+"exclude", c.Exclude)
}

func validateRanges(p *problems, key string, ranges []RangeConfig) {
	for i := range ranges {
		here := fmt.Sprintf("%s[%d]", key, i)
		if err := ranges[i].check(); err != nil {
			p.errs = append(p.errs, fmt.Errorf("%s: %w", here, err))
		}
	}
}

// check returns why a range is not valid.
func (c *RangeConfig) check() error {
	once, recurring, file := !c.Start.IsZero() || !c.End.IsZero(), c.Cron != "" || c.Duration != 0, c.ICal != ""
	set := slices.DeleteFunc([]bool{once, recurring, file}, func(is bool) bool { return !is })
	zone, err := c.zone()
	switch {
	case err != nil:
		return fmt.Errorf("timezone: %q: %w", c.Timezone, err)
	case len(set) != 1:
		return errors.New("must be one of {start, end}, {cron, duration}, {ical}")
	case once && !c.End.After(c.Start):
		return fmt.Errorf("end: %s: must be after start (%s)", c.End.Format(time.RFC3339), c.Start.Format(time.RFC3339))
	case once && c.Start.IsZero():
		return errors.New("start: must be set")
	case file:
		return checkCalendar(c.ICal, zone)
	case recurring && c.Duration < minRange:
		return fmt.Errorf("duration: %v: must be at least 1s", c.Duration)
	case recurring:
		if _, err := calendar.NewCron(c.Cron, zone, c.Duration); err != nil {
			return fmt.Errorf("cron: %q: %w", c.Cron, err)
		}
	}
	return nil
}

func (c *RangeConfig) zone() (*time.Location, error) { return time.LoadLocation(c.Timezone) } // "" is UTC

// fullMatch compiles an expression that has to match the full value.
func fullMatch(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("^(?s:" + pattern + ")$")
}
