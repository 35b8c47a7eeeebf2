// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/spelling"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// warning is a value of a rule that is valid, and probably not intended.
type warning struct {
	rule, key  string // key is relative to the rule
	value      any
	message    string
	didYouMean string // may be empty
}

const (
	unknownMetricMessage   = "Rule names a metric that this distribution does not emit; it does not fire unless another source sends it"
	unknownMatchMessage    = "Metric has no such attribute; the rule matches nothing unless a processor adds it"
	unknownByMessage       = "Metric has no such attribute; series are merged as if it were not listed, unless a processor adds it"
	smallPercentageMessage = "Percentage of the baseline is so small that a ratio may be meant; 120 is 120 %"
)

// Warnings are what is valid and probably not intended, each with its key; the
// validate command prints them.
func (c *Config) Warnings() []string {
	effective, _, err := c.effective()
	if err != nil {
		effective = c // Validate returns the error
	}
	var texts []string
	for _, w := range effective.warnings() {
		text := fmt.Sprintf("rules[%s]::%s: %v: %s", w.rule, w.key, w.value, w.message)
		if w.didYouMean != "" {
			text += "; did you mean " + w.didYouMean + "?"
		}
		texts = append(texts, text)
	}
	return texts
}

// logWarnings logs the same at start.
func (c *Config) logWarnings(logger *zap.Logger) {
	for _, w := range c.warnings() {
		logger.Warn(w.message, zap.String("rule", w.rule), zap.String("key", w.key), zap.Any("value", w.value), zap.String("did_you_mean", w.didYouMean))
	}
}

func (c *Config) warnings() []warning {
	var all []warning
	for i := range c.Rules {
		r := &c.Rules[i]
		for _, w := range r.warnings() {
			w.rule = r.Name
			all = append(all, w)
		}
	}
	return all
}

func (r *RuleConfig) warnings() []warning {
	var all []warning
	if nearest, unknown := unknownMetric(r.Metric); unknown {
		all = append(all, warning{key: "metric", value: r.Metric, message: unknownMetricMessage, didYouMean: nearest})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Match)) {
		if nearest, unknown := unknownAttribute(r.Metric, name); unknown {
			all = append(all, warning{key: "match", value: name, message: unknownMatchMessage, didYouMean: nearest})
		}
	}
	for i, name := range r.By {
		if nearest, unknown := unknownAttribute(r.Metric, name); unknown {
			all = append(all, warning{key: fmt.Sprintf("by[%d]", i), value: name, message: unknownByMessage, didYouMean: nearest})
		}
	}
	all = append(all, r.Level.warnings("")...)
	for i := range r.Severities {
		all = append(all, r.Severities[i].warnings(fmt.Sprintf("severities[%d]::", i))...)
	}
	return all
}

// attributesOf are the attributes of a metric of this distribution; none of another.
func attributesOf(metric string) []string {
	if !slices.Contains(metricNames, metric) {
		return nil
	}
	known := []string{wsevent.TenantID, wsevent.Region, wsevent.ChannelType, wsevent.Overflow}
	switch {
	case strings.HasPrefix(metric, "ws.session."):
		known = append(known, "outcome")
	case strings.HasPrefix(metric, "ws.alert."):
		known = append(known, wsevent.AlertRule, wsevent.AlertSeverity, wsevent.AlertMetric)
	}
	return known
}

// unknownAttribute reports whether a metric of this distribution lacks an attribute, and
// the nearest of those that it has, if one is near. A name with a dot, as service.name,
// that is near to none is taken for an attribute of the resource that a processor adds.
// Alerts on alerts may have any attribute: they have those of their series.
func unknownAttribute(metric, name string) (nearest string, unknown bool) {
	known := attributesOf(metric)
	if len(known) == 0 || slices.Contains(known, name) {
		return "", false
	}
	nearest, near := spelling.Nearest(name, known)
	switch {
	case near:
		return nearest, true
	case strings.Contains(name, "."), strings.HasPrefix(metric, "ws.alert."):
		return "", false
	default:
		return "", true
	}
}

// A percentage of a baseline up to these is taken for a ratio. A load that is above 5 %
// of the baseline is no alert, while one that falls below 5 % of it is.
const (
	maxRatioAbove = 5
	maxRatioBelow = 1
)

func (l *LevelConfig) warnings(key string) []warning {
	var all []warning
	check := func(name string, percentage *float64, most float64) {
		if percentage == nil || *percentage > most {
			return
		}
		w := warning{key: key + name, value: *percentage, message: smallPercentageMessage}
		if *percentage > 0 {
			w.didYouMean = fmt.Sprintf("%.6g", *percentage*100)
		}
		all = append(all, w)
	}
	check("threshold::percent_of_baseline", l.Threshold.PercentOfBaseline, maxRatioAbove)
	check("threshold::below_percent_of_baseline", l.Threshold.BelowPercentOfBaseline, maxRatioBelow)
	if l.Clear != nil {
		check("clear::percent_of_baseline", l.Clear.PercentOfBaseline, maxRatioAbove)
	}
	return all
}
