// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import "time"

// tripMemory is after how long a shortest round trip begins to be forgotten: the
// way may have changed.
const tripMemory = 10 * time.Minute

// longestTrip is the longest one that is believed.
const longestTrip = 10 * time.Second

// roundTrip is the shortest round trip of the last tripMemory, or of up to twice
// as long.
type roundTrip struct {
	present, before time.Duration // 0: none
	since           time.Duration
}

func (r *roundTrip) add(trip, now time.Duration) {
	if trip <= 0 || trip > longestTrip {
		return
	}
	if now-r.since > tripMemory {
		r.present, r.before, r.since = 0, r.present, now
	}
	r.present = shorter(r.present, trip)
}

func (r *roundTrip) shortest() time.Duration { return shorter(r.present, r.before) }

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
