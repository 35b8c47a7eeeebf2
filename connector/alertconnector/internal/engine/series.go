// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// Series is a set of attributes under a rule.
type Series struct {
	Number     int // identifies it on the storage
	rule       *Rule
	attributes Attributes
	baseline   *baseline.Baseline // nil without one
	levels     []level            // as the rule has them

	end      int64    // of the latest window
	steps    [4]int64 // the latest times between two windows, the newest first
	arrived  int64    // when the latest window arrived, by the wall clock
	previous float64  // of a running sum
	running  bool     // previous is one
	learning bool     // the baseline was not known yet for the latest window

	expired    int64 // end of the latest no_data alert that was resolved without a window
	generation int   // how often the clock was set back behind its windows

	changed bool // since it was saved
	saved   span // what is on the storage of closed hours
}

// level is the state of a severity of a series.
type level struct {
	state     rule.State
	noData    rule.NoData
	domain    string  // fault domain of the latest firing
	noDataIn  string  // the same of no_data
	value     float64 // of the latest evaluated window
	threshold float64
	baseline  *float64
}

// step returns the time from one window to the next, ms: that of the configuration, or the
// shortest of the latest four, so that missing windows have no effect.
func (s *Series) step() int64 {
	if s.rule.Interval > 0 {
		return s.rule.Interval
	}
	shortest := int64(0)
	for _, step := range s.steps {
		if step > 0 && (shortest == 0 || step < shortest) {
			shortest = step
		}
	}
	return shortest
}

// consecutive reports whether no window is missing before this one: it touches the latest
// one, unless the configuration has the step, and is not much more than a step later.
func (s *Series) consecutive(start, end int64) bool {
	if s.end == 0 {
		return true // the first; a run begins with it
	}
	if start > s.end && s.rule.Interval == 0 {
		return false
	}
	step := s.step()
	return step == 0 || end-s.end <= step+step/2
}

// seen records that a window was evaluated.
func (s *Series) seen(end, now int64) {
	if s.end > 0 {
		copy(s.steps[1:], s.steps[:3])
		s.steps[0] = end - s.end
	}
	s.end, s.arrived, s.changed = end, now, true
}

// resetRuns resets the counts of consecutive windows.
func (s *Series) resetRuns() {
	for i := range s.levels {
		s.levels[i].state.Run, s.levels[i].state.Clear = 0, 0
	}
}

// without returns the series without its levels, for those that its rule no longer has.
func (s *Series) without() Series {
	return Series{rule: &Rule{Name: s.rule.Name}, attributes: s.attributes, end: s.end, expired: s.expired, generation: s.generation}
}

func (s *Series) noDataFiring() bool {
	for i := range s.levels {
		if s.levels[i].noData.Firing {
			return true
		}
	}
	return false
}

func (s *Series) firing() bool {
	for i := range s.levels {
		if s.levels[i].state.Firing {
			return true
		}
	}
	return false
}
