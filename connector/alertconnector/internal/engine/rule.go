// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/calendar"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// Rule is a rule as the engine needs it.
type Rule struct {
	Name      string
	Metric    string
	Of        Of
	Match     map[string]*regexp.Regexp // of the whole value of an attribute
	By        []string                  // sorted; nil: a series for each set of attributes
	Aggregate Aggregate                 // of points that By puts into one series
	Interval  int64                     // ms between two windows; 0: from the data
	Levels    []rule.Level
	Mute      *calendar.Calendar
	MaxSeries int
	Expire    int64 // ms of silence after which what fires is given up

	Baseline          *baseline.Config // nil without one
	Exclude           *calendar.Calendar
	IncludeFiring     bool // windows while firing enter the baseline
	IncludeIncomplete bool // as do incomplete ones
}

// Of is what of a metric a rule looks at.
type Of int

// OfDefault is the increase of a cumulative monotonic sum, and the value of
// everything else.
const (
	OfDefault Of = iota
	OfValue
	OfIncrease // since the window before
	OfRate     // the same, per second
)

// Aggregate is how points of one series and window become one.
type Aggregate int

// Aggregates.
const (
	Sum Aggregate = iota
	Max
	Min
	Mean
)

// Matches reports whether a window has the attributes that the rule looks at.
func (r *Rule) Matches(w *Window) bool {
	for name, pattern := range r.Match {
		value, _ := w.Attributes.Get(name)
		if !pattern.MatchString(value) {
			return false
		}
	}
	return true
}

// samples are the windows that the rule looks at, those of one series and end
// as one.
func (r *Rule) samples(windows []Window) []Window {
	var found []Window
	var groups map[string]*group
	for i := range windows {
		w := &windows[i]
		if _, ok := w.value(r.Metric); !ok || !r.Matches(w) {
			continue
		}
		if r.By == nil {
			found = append(found, *w)
			continue
		}
		if groups == nil {
			groups = map[string]*group{}
		}
		found = r.group(found, groups, w)
	}
	for _, g := range groups {
		g.finish(&found[g.position], r.Aggregate)
	}
	return found
}
