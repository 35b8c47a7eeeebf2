// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"math"
	"slices"
	"time"
)

// scale defines the search for a plateau: among the seconds of the latest span, and
// at least the latest few that had events, share of them agree to within band.
type scale struct {
	span   time.Duration
	least  int
	most   int
	share  float64
	agree  int
	within time.Duration
}

// scales are tried in turn. The first finds a clock within ten seconds; what
// passes for flat there changes by less than a tenth of a second each second. The
// second is for streams whose delays vary more than that.
var scales = [...]scale{
	{span: 8 * time.Second, least: 3, most: 8, share: 0.5, agree: 3, within: 200 * time.Millisecond},
	{span: 24 * time.Second, least: 12, most: 24, share: 0.6, agree: 10, within: time.Second},
}

// recent is the part of seconds, which are in order, that the scale looks at.
func (s *scale) recent(seconds []second, now time.Duration) []second {
	first := max(0, len(seconds)-s.most)
	for first < len(seconds)-s.least && now-seconds[first].closed >= s.span {
		first++
	}
	return seconds[first:]
}

// plateau finds the band of lags that holds the most seconds, the lower of two equal
// ones. Its bottom is the lowest lag in it.
func (s *scale) plateau(recent []second) (bottom time.Duration, ok bool) {
	var room [maxSeconds]time.Duration
	lags := room[:0]
	for i := range recent {
		lags = append(lags, recent[i].lag())
	}
	slices.Sort(lags)
	agreeing, above := 0, 0
	for i, lag := range lags {
		for above < len(lags) && lags[above]-lag <= s.within {
			above++
		}
		if above-i > agreeing {
			agreeing, bottom = above-i, lag
		}
	}
	return bottom, agreeing >= s.agree && float64(agreeing) >= s.share*float64(len(lags))
}

// nothing is the lowest lag of no events.
const nothing = time.Duration(math.MaxInt64)

// second is what is kept of the events of a second.
type second struct {
	closed time.Duration // when it was over
	near   time.Duration // lowest lag that was not below the floor
	under  time.Duration // lowest lag that was
	events int64
	below  int64 // events below the floor
}

func emptySecond() second { return second{near: nothing, under: nothing} }

// mostlyBelow reports whether most events of the second are below the floor: another
// level, and not a few events with a time in the future.
func (s *second) mostlyBelow() bool { return 2*s.below > s.events }

// lag is the second's: the lowest one, unless only a minority is below the floor.
func (s *second) lag() time.Duration {
	if s.mostlyBelow() {
		return s.under
	}
	return s.near
}
