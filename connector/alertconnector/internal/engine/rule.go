// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/calendar"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// Rule is a rule of the engine.
type Rule struct {
	Name      string
	Metric    string
	Mode      ValueMode
	Match     map[string]*regexp.Regexp // of the full value of an attribute
	By        []string                  // sorted; nil: a series for each set of attributes
	Aggregate Aggregate                 // of points that By puts into one series
	Interval  int64                     // ms between two windows; 0: from the data
	Levels    []rule.Level
	Mute      *calendar.Calendar
	MaxSeries int
	Expire    int64 // ms without data after which a firing alert is resolved

	Baseline          *baseline.Config // nil without one
	Exclude           *calendar.Calendar
	IncludeFiring     bool // windows while firing enter the baseline
	IncludeIncomplete bool // as do incomplete ones
}

// ValueMode selects how a rule derives a value from a metric.
type ValueMode int

// ModeDefault is the increase of a cumulative monotonic sum, and the value of everything
// else.
const (
	ModeDefault ValueMode = iota
	ModeValue
	ModeIncrease // since the window before
	ModeRate     // the same, per second
)

// Aggregate combines the points of one series and window.
type Aggregate int

// Aggregates.
const (
	Sum Aggregate = iota
	Max
	Min
	Mean
)

// Matches reports whether a window has the attributes that the rule selects.
func (r *Rule) Matches(w *Window) bool {
	for name, pattern := range r.Match {
		value, _ := w.Attributes.Get(name)
		if !pattern.MatchString(value) {
			return false
		}
	}
	return true
}

// samples returns the windows that the rule selects, those of one series and end combined.
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

// group combines the windows that By puts into one series.
type group struct {
	position int            // among the samples
	count    map[string]int // of values, by metric
}

// maxTraces bounds the traces of a sample.
const maxTraces = 5

// group adds a window to the sample of its series and end.
func (r *Rule) group(found []Window, groups map[string]*group, w *Window) []Window {
	attributes := make(Attributes, 0, len(r.By))
	for _, name := range r.By {
		if value, ok := w.Attributes.Get(name); ok {
			attributes = append(attributes, Attribute{Name: name, Value: value})
		}
	}
	key := attributes.key() + strconv.FormatInt(w.End, 36)
	g, ok := groups[key]
	if !ok {
		g = &group{position: len(found), count: map[string]int{}}
		groups[key] = g
		found = append(found, Window{Attributes: attributes, Start: w.Start, End: w.End})
	}
	sample := &found[g.position]
	sample.Incomplete = sample.Incomplete || w.Incomplete
	sample.Traces = append(sample.Traces, w.Traces[:min(len(w.Traces), maxTraces-len(sample.Traces))]...)
	for _, v := range w.Values {
		g.count[v.Metric]++
		sample.merge(v, r.Aggregate)
	}
	return found
}

func (w *Window) merge(v Value, how Aggregate) {
	for i := range w.Values {
		into := &w.Values[i]
		if into.Metric != v.Metric {
			continue
		}
		switch how {
		case Max:
			into.Value = max(into.Value, v.Value)
		case Min:
			into.Value = min(into.Value, v.Value)
		default:
			into.Value += v.Value
		}
		return
	}
	w.Values = append(w.Values, v)
}

func (g *group) finish(w *Window, how Aggregate) {
	if how != Mean {
		return
	}
	for i := range w.Values {
		w.Values[i].Value /= float64(g.count[w.Values[i].Metric])
	}
}
