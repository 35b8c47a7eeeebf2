// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rule

// Silence is what a level remembers of a series that it misses.
type Silence struct {
	Firing bool  `json:"firing,omitempty"`
	Since  int64 `json:"since,omitempty"` // end of the last window before the silence
	Told   int64 `json:"told,omitempty"`  // when it was told, by the wall clock
}

// Quiet is how a series stands at a moment of the wall clock.
type Quiet struct {
	Now     int64
	Arrived int64 // when the last window came, by the wall clock
	LastEnd int64 // and the end of that window
	Step    int64 // between two windows; 0 while it is not known
	Muted   bool
}

// DecideSilence says whether a series is missed. Half a step more than the windows
// should have taken is allowed for their way.
func DecideSilence(l *Level, s Silence, q Quiet) (Silence, Transition, Reason) {
	if s.Firing {
		if !q.Muted && q.Now-s.Told >= l.Repeat {
			s.Told = q.Now
			return s, Repeats, Reason{Cause: Repeated}
		}
		return s, Nothing, Reason{Cause: Firing}
	}
	missed := int64(l.NoData)
	if l.NoData == 0 || q.Step <= 0 || q.Muted || q.Now-q.Arrived <= missed*q.Step+q.Step/2 {
		return s, Nothing, Reason{Cause: Within}
	}
	return Silence{Firing: true, Since: q.LastEnd, Told: q.Now}, Fires, Reason{Cause: Silent}
}
