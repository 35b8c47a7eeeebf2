// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// maxFuture is how far ahead of the wall clock a window may end. One that is
// farther would make its series wait for that time, and forget its baseline.
const maxFuture = 10 * 60 * 1000

// maxAttributes bounds the names and values of a series, in bytes.
const maxAttributes = 16 << 10

// Engine applies rules.
type Engine struct {
	rules  []*Rule
	series []map[string]*Series // by rule
	next   int                  // number of the next new series
	free   []int                // numbers of series that are gone from the storage, too
	gone   []gone               // series that have yet to leave it
	stats  Stats

	counted int // next, as it is on the storage
}

// Stats is what the engine has counted.
type Stats struct {
	Evaluations int64
	Skipped     map[Skip]int64
}

// Skip is why a sample was not judged.
type Skip string

// Reasons to skip a sample.
const (
	SkipSeen      Skip = "seen"       // its series has this window, or a later one
	SkipFuture    Skip = "future"     // it ends too far ahead of the wall clock
	SkipNotNumber Skip = "not_number" // NaN, an infinity, or beyond 1e290
	SkipMaxSeries Skip = "max_series" // there is no room for its series
	SkipTooLong   Skip = "too_long"   // its attributes are longer than 16 KiB
	SkipFirst     Skip = "first"      // of a running sum, or the first behind a hole: there is none to compare it with
)

// Outcome is what a call has brought about.
type Outcome struct {
	Alerts      []Alert
	Evaluations []Evaluation
}

// New makes an engine without any series.
func New(rules []*Rule) *Engine {
	e := &Engine{rules: rules, stats: Stats{Skipped: map[Skip]int64{}}}
	for range rules {
		e.series = append(e.series, map[string]*Series{})
	}
	return e
}

// Observe takes the windows of a batch, at a moment of the wall clock.
func (e *Engine) Observe(windows []Window, now int64) Outcome {
	var out Outcome
	for i, r := range e.rules {
		samples := r.samples(windows)
		slices.SortStableFunc(samples, func(a, b Window) int { return cmp.Compare(a.End, b.End) })
		for j := range samples {
			e.sample(i, r, &samples[j], now, &out)
		}
	}
	return out
}

func (e *Engine) skip(why Skip) { e.stats.Skipped[why]++ }

// sample judges a window under a rule, and lets the baseline learn from it.
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
	judged := moment{window: w, start: w.Start, value: metric.Value, consecutive: true}
	e.heard(s, w, out)
	known := s.reduce(&judged, metric) && baseline.Sane(judged.value)
	if known {
		judged.consecutive = s.consecutive(judged.start, w.End)
		e.judge(s, &judged, out)
		s.learn(&judged)
	} else {
		s.breakRuns()
		e.skip(SkipFirst)
	}
	s.seen(w.End, now)
}

// moment is a window of a series while it is judged.
type moment struct {
	window      *Window
	start       int64
	value       float64
	consecutive bool
	excluded    bool
}

// reduce makes of a running sum what the rule asks for. False says that there is
// nothing to compare it with: it is the first, or windows are missing.
func (s *Series) reduce(m *moment, v Value) bool {
	of := s.rule.Of
	if of == OfDefault && v.Running {
		of = OfIncrease
	}
	if m.start <= 0 || v.Running && (of == OfIncrease || of == OfRate) {
		m.start = s.end // the points name no window: it began with the one before
	}
	if of != OfIncrease && of != OfRate {
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
	if m.value < 0 { // it began anew
		m.value = v.Value
	}
	if of == OfRate {
		m.value *= 1000 / float64(m.window.End-s.end)
	}
	return true
}

// judge decides about a window under each severity.
func (e *Engine) judge(s *Series, m *moment, out *Outcome) {
	r := s.rule
	m.excluded = r.Exclude.Covers(m.start, m.window.End)
	x := rule.Sample{
		Start: m.start, End: m.window.End, Value: m.value, Consecutive: m.consecutive,
		Excluded: m.excluded, Muted: r.Mute.Covers(m.start, m.window.End),
	}
	var usual *float64
	if s.baseline != nil {
		level := s.baseline.At(x.End)
		if x.Baseline, x.Ready = level.Value, level.Ready; level.Ready {
			usual = &level.Value
		}
		s.learning = !level.Ready
	}
	for i := range r.Levels {
		before := s.levels[i].state.Since
		evaluation := s.decide(i, x, usual)
		e.stats.Evaluations++
		out.Evaluations = append(out.Evaluations, evaluation)
		if evaluation.Transition != rule.Nothing {
			since := max(before, s.levels[i].state.Since) // a resolved state has forgotten it
			out.Alerts = append(out.Alerts, evaluation.alert(since, m.window.Values))
		}
	}
}

// decide decides about a window under one severity.
func (s *Series) decide(i int, x rule.Sample, usual *float64) Evaluation {
	l, state := &s.rule.Levels[i], &s.levels[i]
	evaluation := Evaluation{
		Rule: s.rule.Name, Severity: l.Severity, Attributes: s.attributes, Start: x.Start, End: x.End, Value: x.Value, Baseline: usual,
	}
	state.state, evaluation.Transition, evaluation.Reason = rule.Decide(l, state.state, x)
	evaluation.Firing = state.state.Firing
	if l.Threshold.Kind != rule.Never && (!l.Threshold.NeedsBaseline() || x.Ready) {
		line := l.Threshold.Line(x.Baseline)
		evaluation.Threshold = &line
		state.value, state.threshold, state.baseline = x.Value, line, usual
	}
	return evaluation
}

// learn lets the window into the baseline, unless it is to be kept out. Windows
// while firing are, but not once the baseline has left the lookback: without one,
// what fires could never be found to be over.
func (s *Series) learn(m *moment) {
	r := s.rule
	firing := s.firing() && !s.learning && !r.IncludeFiring
	if s.baseline == nil || m.excluded || m.window.Incomplete && !r.IncludeIncomplete || firing {
		return
	}
	s.baseline.Add(m.window.End, m.value)
}

// find gives the series of a window, and makes it when there is room. One that is
// ahead of the wall clock, which then was set back, would wait for that time, and
// begins anew.
func (e *Engine) find(position int, key string, w *Window, now int64, out *Outcome) *Series {
	r := e.rules[position]
	if s, ok := e.series[position][key]; ok {
		if s.end <= now+maxFuture {
			return s
		}
		s.giveUp(out, rule.ClockSet)
		e.forget(position, key, s)
	}
	if len(e.series[position]) >= r.MaxSeries {
		return nil
	}
	s := &Series{rule: r, attributes: w.Attributes, levels: make([]level, len(r.Levels))}
	if r.Baseline != nil {
		s.baseline = baseline.New(r.Baseline)
	}
	e.number(s)
	e.series[position][key] = s
	return s
}

// number gives a new series the lowest number that is free.
func (e *Engine) number(s *Series) {
	if n := len(e.free); n > 0 {
		s.Number, e.free = e.free[n-1], e.free[:n-1]
		return
	}
	s.Number = e.next
	e.next++
}
