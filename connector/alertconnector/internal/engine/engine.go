// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package engine applies rules to the series of metrics, window by window.
//
// It selects the samples of a rule among the windows of a batch, keeps for each series its
// baseline and the state of its alerts, and returns the alerts to emit. Times are unix ms, and
// the wall clock is an argument. It is not safe for concurrent use.
package engine

import (
	"cmp"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// maxFuture is how far ahead of the wall clock a window may end, ms. A series with a later
// one would wait for that time, and drop its baseline.
const maxFuture = 10 * 60 * 1000

// maxAttributes bounds the names and values of a series, in bytes.
const maxAttributes = 16 << 10

// Engine applies rules.
type Engine struct {
	rules  []*Rule
	series []map[string]*Series // by rule
	next   int                  // number of the next new series
	free   []int                // numbers of series that are deleted from the storage, too
	gone   []gone               // series that are not deleted from it yet
	stats  Stats

	counted int // next, as it is on the storage
}

// Stats counts evaluations and skipped samples.
type Stats struct {
	Evaluations int64
	Skipped     map[Skip]int64
}

// Skip is why a sample was not evaluated.
type Skip string

// Reasons to skip a sample.
const (
	SkipSeen      Skip = "seen"       // its series has this window already, or a later one
	SkipFuture    Skip = "future"     // it ends too far ahead of the wall clock
	SkipNotNumber Skip = "not_number" // NaN, an infinity, or beyond 1e290
	SkipMaxSeries Skip = "max_series" // the rule has max_series already
	SkipTooLong   Skip = "too_long"   // its attributes are longer than 16 KiB
	SkipFirst     Skip = "first"      // of a running sum, or after missing windows: there is no previous value
)

// Outcome is the result of a call.
type Outcome struct {
	Alerts      []Alert
	Evaluations []Evaluation
}

// New returns an engine without series.
func New(rules []*Rule) *Engine {
	e := &Engine{rules: rules, stats: Stats{Skipped: map[Skip]int64{}}}
	for range rules {
		e.series = append(e.series, map[string]*Series{})
	}
	return e
}

// Observe evaluates the windows of a batch at a time of the wall clock.
func (e *Engine) Observe(windows []Window, now int64) Outcome {
	var out Outcome
	for i, r := range e.rules {
		samples := r.samples(windows)
		slices.SortStableFunc(samples, func(a, b Window) int { return cmp.Compare(a.End, b.End) })
		for j := range samples {
			e.sample(i, r, &samples[j], now, &out)
		}
	}
	e.setDomains(out.Alerts)
	return out
}

func (e *Engine) skip(why Skip) { e.stats.Skipped[why]++ }

// sample evaluates a window under a rule, and adds it to the baseline.
func (e *Engine) sample(position int, r *Rule, w *Window, now int64, out *Outcome) {
	metric, _ := w.value(r.Metric)
	switch {
	case w.End > now+maxFuture:
		e.skip(SkipFuture)
		return
	case !baseline.Sane(metric.Value):
		e.skip(SkipNotNumber)
		return
	}
	key := w.Attributes.key()
	if len(key) > maxAttributes {
		e.skip(SkipTooLong)
		return
	}
	s := e.find(position, key, w, now, out)
	switch {
	case s == nil:
		e.skip(SkipMaxSeries)
		return
	case w.End <= s.end:
		e.skip(SkipSeen)
		return
	}
	observed := observation{window: w, start: w.Start, value: metric.Value, consecutive: true}
	e.resolveNoData(s, w, out)
	known := s.reduce(&observed, metric) && baseline.Sane(observed.value)
	if known {
		observed.consecutive = s.consecutive(observed.start, w.End)
		e.evaluate(s, &observed, out)
		s.learn(&observed)
	} else {
		s.resetRuns()
		e.skip(SkipFirst)
	}
	s.seen(w.End, now)
}

// observation is a window of a series while it is evaluated.
type observation struct {
	window      *Window
	start       int64
	value       float64
	consecutive bool
	excluded    bool
}

// reduce converts a running sum as the rule requires. It returns false without a previous
// value: for the first window, and after missing ones.
func (s *Series) reduce(m *observation, v Value) bool {
	mode := s.rule.Mode
	if mode == ModeDefault && v.Running {
		mode = ModeIncrease
	}
	if m.start <= 0 || v.Running && (mode == ModeIncrease || mode == ModeRate) {
		m.start = s.end // the points have no window: it began with the previous one
	}
	if mode != ModeIncrease && mode != ModeRate {
		if m.start <= 0 {
			m.start = m.window.End
		}
		return true
	}
	before, had := s.previous, s.running && s.consecutive(s.end, m.window.End)
	s.previous, s.running = v.Value, true
	if !had {
		return false
	}
	m.value -= before
	if m.value < 0 { // it was reset
		m.value = v.Value
	}
	if mode == ModeRate {
		m.value *= 1000 / float64(m.window.End-s.end)
	}
	return true
}

// evaluate decides about a window under each severity.
func (e *Engine) evaluate(s *Series, m *observation, out *Outcome) {
	r := s.rule
	m.excluded = r.Exclude.Covers(m.start, m.window.End)
	x := rule.Sample{
		Start: m.start, End: m.window.End, Value: m.value, Consecutive: m.consecutive,
		Excluded: m.excluded, Muted: r.Mute.Covers(m.start, m.window.End),
	}
	var baseline *float64
	if s.baseline != nil {
		level := s.baseline.At(x.End)
		if x.Baseline, x.Ready = level.Value, level.Ready; level.Ready {
			baseline = &level.Value
		}
		s.learning = !level.Ready
	}
	for i := range r.Levels {
		before := s.levels[i].state.Since
		evaluation := s.decide(i, x, baseline)
		e.stats.Evaluations++
		out.Evaluations = append(out.Evaluations, evaluation)
		if evaluation.Transition != rule.Nothing {
			since := max(before, s.levels[i].state.Since) // a resolved state does not have it
			alert := evaluation.alert(since, s.generation, m.window.Values)
			alert.FaultDomain, alert.Traces = s.levels[i].domain, m.window.Traces
			if !alert.Resolved {
				alert.series, alert.domain = s, &s.levels[i].domain
			}
			out.Alerts = append(out.Alerts, alert)
		}
	}
}

// decide decides about a window under one severity.
func (s *Series) decide(i int, x rule.Sample, baseline *float64) Evaluation {
	l, state := &s.rule.Levels[i], &s.levels[i]
	evaluation := Evaluation{
		Rule: s.rule.Name, Severity: l.Severity, Attributes: s.attributes, Start: x.Start, End: x.End, Value: x.Value, Baseline: baseline, For: l.For,
	}
	state.state, evaluation.Transition, evaluation.Reason = rule.Decide(l, state.state, x)
	evaluation.Firing = state.state.Firing
	if l.Threshold.Kind != rule.Never && (!l.Threshold.NeedsBaseline() || x.Ready) {
		bound := l.Threshold.Bound(x.Baseline)
		evaluation.Threshold = &bound
		state.value, state.threshold, state.baseline = x.Value, bound, baseline
	}
	return evaluation
}

// learn adds the window to the baseline, unless it is excluded. Windows while firing may
// be, but not once the baseline has left the lookback: without one, the alert could never
// be resolved.
func (s *Series) learn(m *observation) {
	r := s.rule
	firing := s.firing() && !s.learning && !r.IncludeFiring
	if s.baseline == nil || m.excluded || m.window.Incomplete && !r.IncludeIncomplete || firing {
		return
	}
	s.baseline.Add(m.window.End, m.value)
}

// find returns the series of a window, and creates it if there is room. A series that is
// ahead of the wall clock, which was then set back, would wait for that time, and begins
// anew.
func (e *Engine) find(position int, key string, w *Window, now int64, out *Outcome) *Series {
	r := e.rules[position]
	generation := 0
	if s, ok := e.series[position][key]; ok {
		if s.end <= now+maxFuture {
			return s
		}
		s.expire(out, rule.ClockSet)
		e.forget(position, key, s)
		generation = s.generation + 1
	}
	if len(e.series[position]) >= r.MaxSeries {
		return nil
	}
	s := &Series{rule: r, attributes: w.Attributes, levels: make([]level, len(r.Levels)), generation: generation}
	if r.Baseline != nil {
		s.baseline = baseline.New(r.Baseline)
	}
	e.number(s)
	e.series[position][key] = s
	return s
}

// number gives a new series a free number.
func (e *Engine) number(s *Series) {
	if n := len(e.free); n > 0 {
		s.Number, e.free = e.free[n-1], e.free[:n-1]
		return
	}
	s.Number = e.next
	e.next++
}

// Stats returns the counters. The caller must not change them.
func (e *Engine) Stats() Stats { return e.stats }

// Count is the number of series of a rule.
type Count struct {
	Rule     string
	Series   int
	Learning int
	Baseline bool // the rule has one
}

// Counts returns the series of each rule.
func (e *Engine) Counts() []Count {
	counts := make([]Count, len(e.rules))
	for i, r := range e.rules {
		counts[i] = Count{Rule: r.Name, Series: len(e.series[i]), Baseline: r.Baseline != nil}
		for _, s := range e.series[i] {
			if s.learning {
				counts[i].Learning++
			}
		}
	}
	return counts
}
