// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rule

// Level is one severity of a rule.
type Level struct {
	Severity  string
	Threshold Limit
	For       int    // consecutive windows beyond the threshold before it fires
	Clear     *Limit // beyond which it is resolved; nil: not beyond the threshold
	ClearFor  int    // consecutive windows before it is resolved
	NoData    int    // expected windows without a sample before it fires; 0 never
	Repeat    int64  // ms after which a firing alert is told again
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

// State is what a level remembers of a series.
type State struct {
	Firing bool  `json:"firing,omitempty"`
	Run    int   `json:"run,omitempty"`   // consecutive windows beyond the threshold, while not firing
	Clear  int   `json:"clear,omitempty"` // consecutive clear windows, while firing
	Since  int64 `json:"since,omitempty"` // start of the first window of the run or of the episode
	Told   int64 `json:"told,omitempty"`  // end of the latest window that was told as firing
}

// Transition is what has to be told.
type Transition int

// Transitions.
const (
	Nothing Transition = iota
	Fires
	Repeats
	Resolves
)

// Decide takes the next window of a series. A missing window, and one that cannot
// be judged, breaks a run.
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
	if !l.Threshold.Beyond(x.Value, x.Baseline) {
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
	return State{Firing: true, Since: s.Since, Told: x.End}, Fires, Reason{Cause: Fired}
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
	if !x.Muted && x.End-s.Told >= l.Repeat {
		s.Told = x.End
		return s, Repeats, Reason{Cause: Repeated}
	}
	if s.Clear > 0 {
		return s, Nothing, Reason{Cause: Clearing, Have: s.Clear, Of: l.ClearFor}
	}
	return s, Nothing, Reason{Cause: Firing}
}

func (l *Level) clear(x Sample) bool {
	if l.Clear != nil {
		return l.Clear.Beyond(x.Value, x.Baseline)
	}
	return !l.Threshold.Beyond(x.Value, x.Baseline)
}
