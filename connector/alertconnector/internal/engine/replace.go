// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// Replace replaces the rules. A rule of the same name, metric, mode, by and aggregate keeps
// its series with their baselines and alerts; alerts of removed rules and severities, and of
// series that a rule no longer matches, are resolved.
func (e *Engine) Replace(rules []*Rule) Outcome {
	var out Outcome
	series := make([]map[string]*Series, len(rules))
	for i, r := range rules {
		series[i] = map[string]*Series{}
		position := slices.IndexFunc(e.rules, func(old *Rule) bool { return old.Name == r.Name && old.source() == r.source() })
		if position < 0 {
			continue
		}
		for key, s := range e.series[position] {
			if r.matchesSeries(s.attributes) {
				s.adopt(r, &out)
				series[i][key] = s
				delete(e.series[position], key)
			}
		}
	}
	for position := range e.series { // what is left belongs to no rule
		for _, key := range slices.Sorted(maps.Keys(e.series[position])) {
			s := e.series[position][key]
			s.expire(&out, rule.RuleGone)
			e.forget(position, key, s)
		}
	}
	e.rules, e.series = rules, series
	return out
}

// matchesSeries reports whether a rule selects windows of a series. Attributes that By has
// removed are not known, and match.
func (r *Rule) matchesSeries(attributes Attributes) bool {
	for name, pattern := range r.Match {
		if value, known := attributes.Get(name); (known || r.By == nil) && !pattern.MatchString(value) {
			return false
		}
	}
	return true
}

// adopt continues a series under another version of its rule.
func (s *Series) adopt(r *Rule, out *Outcome) {
	levels := make([]level, len(r.Levels))
	gone := s.without()
	for i := range s.levels {
		of := s.rule.Levels[i]
		if at := slices.IndexFunc(r.Levels, func(l rule.Level) bool { return l.Severity == of.Severity }); at >= 0 {
			levels[at] = s.levels[i]
			continue
		}
		gone.levels = append(gone.levels, s.levels[i])
		gone.rule.Levels = append(gone.rule.Levels, of)
	}
	gone.expire(out, rule.RuleGone)
	s.expired = max(s.expired, gone.expired)
	switch {
	case r.Baseline == nil:
		s.baseline, s.learning = nil, false
	case s.baseline == nil:
		s.baseline = baseline.New(r.Baseline)
	default:
		s.baseline = s.baseline.Reconfigure(r.Baseline)
	}
	s.rule, s.levels, s.changed = r, levels, true
}
