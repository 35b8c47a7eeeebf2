// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"time"
)

const (
	rateEvery  = 10 * time.Second // between two points
	ratePoints = 60               // that are kept
	rateLeast  = 12               // that say something
)

// rate is how fast an offset changes: the slope of the line through it over the
// last ten minutes.
type rate struct {
	points []point
}

type point struct{ at, offset time.Duration }

func (r *rate) add(offset, now time.Duration) {
	if n := len(r.points); n > 0 && now-r.points[n-1].at < rateEvery {
		return
	}
	if len(r.points) == ratePoints {
		r.points = r.points[:copy(r.points, r.points[1:])]
	}
	r.points = append(r.points, point{now, offset})
}

// ppm is the least squares slope. The means are taken as differences to the first
// point, so that hours of offset leave the digits to the microseconds.
func (r *rate) ppm() (float64, bool) {
	if len(r.points) < rateLeast {
		return 0, false
	}
	first, n := r.points[0], float64(len(r.points))
	var x, y, xx, xy float64
	for _, p := range r.points {
		at, offset := float64(p.at-first.at), float64(p.offset-first.offset)
		x, y, xx, xy = x+at, y+offset, xx+at*at, xy+at*offset
	}
	return (xy - x*y/n) / (xx - x*x/n) * 1e6, true
}

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
