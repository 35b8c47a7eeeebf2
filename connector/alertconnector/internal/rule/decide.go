// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rule decides, one window after another, whether an alert fires.
//
// A decision is pure: the previous state and a sample give the next state, the transition and
// its reason. Times are unix ms.
package rule

// Level is one severity of a rule.
type Level struct {
	Severity  string
	Threshold Limit
	For       int    // consecutive windows that breach the threshold before it fires
	Clear     *Limit // resolves the alert when breached; nil: when the threshold is not
	ClearFor  int    // consecutive windows before it is resolved
	NoData    int    // expected windows without a sample before it fires; 0: never
	Repeat    int64  // ms after which a firing alert is emitted again
}

// Sample is a window of a series, with what is known around it.
type Sample struct {
	Start, End  int64
	Value       float64
	Baseline    float64
	Ready       bool // the baseline is known
	Consecutive bool // the window before this one was seen
	Excluded    bool // from the baseline
	Muted       bool
}

// State is the state of a severity of a series.
type State struct {
	Firing  bool  `json:"firing,omitempty"`
	Run     int   `json:"run,omitempty"`   // consecutive breaching windows, while not firing
	Clear   int   `json:"clear,omitempty"` // consecutive clear windows, while firing
	Since   int64 `json:"since,omitempty"` // start of the first window of the run or of the episode
	Emitted int64 `json:"told,omitempty"`  // end of the latest window that was emitted as firing
}

// Transition is a change that is emitted.
type Transition int

// Transitions.
const (
	Nothing Transition = iota
	Fires
	Repeats
	Resolves
)

// Decide evaluates the next window of a series. A missing window, and one that cannot be
// evaluated, resets a run.
func Decide(l *Level, s State, x Sample) (State, Transition, Reason) {
	if !x.Consecutive {
		s.Run, s.Clear = 0, 0
	}
	if l.Threshold.NeedsBaseline() && (x.Excluded || !x.Ready) {
		s.Run, s.Clear = 0, 0
		if x.Excluded {
			return s, Nothing, Reason{Cause: Excluded}
		}
		return s, Nothing, Reason{Cause: Learning}
	}
	if s.Firing {
		return whileFiring(l, s, x)
	}
	if !l.Threshold.Breached(x.Value, x.Baseline) {
		return State{}, Nothing, Reason{Cause: Within}
	}
	if x.Muted {
		return State{}, Nothing, Reason{Cause: Muted}
	}
	if s.Run == 0 {
		s.Since = x.Start
	}
	s.Run++
	if s.Run < l.For {
		return s, Nothing, Reason{Cause: Run, Have: s.Run, Of: l.For}
	}
	return State{Firing: true, Since: s.Since, Emitted: x.End}, Fires, Reason{Cause: Fired}
}

func whileFiring(l *Level, s State, x Sample) (State, Transition, Reason) {
	if l.clear(x) {
		s.Clear++
		if s.Clear >= l.ClearFor {
			return State{}, Resolves, Reason{Cause: Cleared}
		}
	} else {
		s.Clear = 0
	}
	if !x.Muted && x.End-s.Emitted >= l.Repeat {
		s.Emitted = x.End
		return s, Repeats, Reason{Cause: Repeated}
	}
	if s.Clear > 0 {
		return s, Nothing, Reason{Cause: Clearing, Have: s.Clear, Of: l.ClearFor}
	}
	return s, Nothing, Reason{Cause: Firing}
}

func (l *Level) clear(x Sample) bool {
	if l.Clear != nil {
		return l.Clear.Breached(x.Value, x.Baseline)
	}
	return !l.Threshold.Breached(x.Value, x.Baseline)
}

// NoData is the no-data state of a severity of a series.
type NoData struct {
	Firing  bool  `json:"firing,omitempty"`
	Since   int64 `json:"since,omitempty"` // end of the last window, or of the episode before
	End     int64 `json:"end,omitempty"`   // of the latest alert that was emitted, in the time of windows
	Emitted int64 `json:"told,omitempty"`  // when it was emitted last, by the wall clock
}

// NoDataInput is a series at a time of the wall clock.
type NoDataInput struct {
	Now     int64
	Arrived int64 // when the last window arrived, by the wall clock
	LastEnd int64 // and the end of that window
	Expired int64 // end of an episode that has expired since then, or less
	Step    int64 // between two windows; 0 while it is not known
	Muted   bool
}

// DecideNoData decides whether a series has no data. Half a step is added to the expected
// time, for latency.
func DecideNoData(l *Level, s NoData, q NoDataInput) (NoData, Transition, Reason) {
	if s.Firing {
		if !q.Muted && q.Now-s.Emitted >= l.Repeat {
			// Arrived begins anew with a restart; the end of an alert must not go back.
			s.End = max(s.End, q.LastEnd) + q.Now - s.Emitted
			s.Emitted = q.Now
			return s, Repeats, Reason{Cause: Repeated}
		}
		return s, Nothing, Reason{Cause: Firing}
	}
	missed := int64(l.NoData)
	if l.NoData == 0 || q.Step <= 0 || q.Muted || q.Now-q.Arrived <= missed*q.Step+q.Step/2 {
		return s, Nothing, Reason{Cause: Within}
	}
	// An episode is identified by its start, so the next one without a window in between
	// starts later.
	since := max(q.LastEnd, q.Expired)
	return NoData{Firing: true, Since: since, End: since + q.Now - q.Arrived, Emitted: q.Now}, Fires, Reason{Cause: Silent}
}
