// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package cache knows when an answer of the query API may be given to the next viewer
// as well. Pages poll once per window, when the window is in the store; so an answer
// is good from one such moment to the next, unless there is newer data before.
//
// It has no clock and no goroutine; time is an argument.
package cache

import "time"

// Schedule is when windows end, and when pages ask for them.
type Schedule struct {
	Size   time.Duration // of a window
	Step   time.Duration // from one window's start to the next one's
	Offset time.Duration // from a window's end to the moment when pages ask for it
}

// Moment is the latest moment to poll that is not after now, and the end of the
// window that is asked for then.
func (s Schedule) Moment(now time.Time) (moment, windowEnd time.Time) {
	lead := s.Size + s.Offset // windows start at multiples of the step
	moment = floor(now.Add(-lead), s.Step).Add(lead)
	return moment, moment.Add(-s.Offset)
}

// floor is the latest multiple of step from the epoch that is not after t. It has no
// monotonic reading, which would make the floors of two times differ.
func floor(t time.Time, step time.Duration) time.Time {
	past := time.Duration(t.UnixNano()) % step
	if past < 0 {
		past += step
	}
	return t.Add(-past).Round(0)
}
