// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package skew measures the offset of a platform's clock from ours, by the lag of its
// events alone: our time of arrival minus the platform's time.
//
// A lag is the network delay, which is never negative and occasionally small,
// minus the platform's offset. So the lowest lags show the offset and the others
// the delay, as in the clock filter of NTP (RFC 5905, section 10). NTP has requests and
// responses; events have one direction only, so the parts are:
//
//   - second: the lowest lag of the events of one second.
//   - plateau: a lag that most of the latest seconds agree on. The offset
//     of a clock is constant to within 500 ppm; a varying delay and a replay that
//     catches up are not. Every level, the first one and that after a step, is
//     accepted only once it is a plateau.
//   - Estimator: the level of one stream: the envelope of its lowest lags, with
//     an error and a drift rate.
//   - Episode: whether an offset is beyond a limit, with hysteresis.
//   - Watch: whose clock is wrong, and for how long it has been ours.
//
// The package is pure: time is an argument, the time since any one moment by a
// clock that does not jump, and nothing here starts a goroutine or takes a lock.
package skew

import (
	"math"
	"slices"
	"time"
)

const (
	// maxSeconds bounds what is kept of a stream, and is how many seconds with
	// events the envelope is taken over.
	maxSeconds = 64
	// maxRate is how fast two clocks may part, as a share of the time gone by: what
	// NTP takes for the worst crystal. A lag is that much less certain as it ages.
	maxRate = 500e-6
	// mostPPM is the drift rate beyond which a level is not a clock but a replay that
	// is slightly faster than the original events.
	mostPPM = 3_000
	// leastStep and mostStep bound the change that is taken for a step of a clock.
	// Less than that is followed, as the envelope moves on.
	leastStep = 100 * time.Millisecond
	mostStep  = 1500 * time.Millisecond
	// jitterOver is how many seconds the average jitter is taken over.
	jitterOver = 16
	// longestLag leaves room to add and subtract.
	longestLag = 50 * 365 * 24 * time.Hour
	// bulk is how far below the level, or while there is none the median, a lag may
	// be of the same clock as the others. A lag further below is an outlier, unless most
	// are there.
	bulk = 5 * time.Second
	// smoothing is the time constant of the reported offset.
	smoothing = 4 * time.Second
	// hold is how long a level is valid without an event that agrees with it.
	hold = 5 * time.Minute
)

// Estimate is what is known of a platform's clock.
type Estimate struct {
	Offset  time.Duration // positive: the platform is ahead of us
	Error   time.Duration // maximum error of Offset
	Samples int64         // events that agree with it
	Rate    float64       // ppm; positive: the platform's clock gains on ours
	// RateKnown is set once the clock has been watched for long enough.
	RateKnown bool
}

// Estimator follows the clock of one stream. Events are added with Observe, and
// Tick is called every second.
type Estimator struct {
	open    second           // the one that is not over
	latest  [8]time.Duration // the last lags in it
	seconds []second         // the latest that had events, in order

	known  bool
	level  time.Duration // the envelope: the lowest lag that the stream has now
	agreed time.Duration // time of the event that it is from
	jitter time.Duration // how far above the level the lowest lag of a second is, on average
	inside int           // seconds that agree with the level
	floor  time.Duration // lags below are outliers, unless most are

	samples  int64
	smoothed time.Duration // level, without its small jumps
	ticked   time.Duration
	rate     rate
	trip     roundTrip
}

// NewEstimator returns an Estimator without data.
func NewEstimator() *Estimator {
	return &Estimator{open: emptySecond(), floor: math.MinInt64}
}

// Observe adds the lag of an event: our time of its arrival less its own time.
func (e *Estimator) Observe(lag time.Duration) {
	lag = max(-longestLag, min(lag, longestLag))
	e.latest[e.open.events%int64(len(e.latest))] = lag
	e.open.events++
	if lag < e.floor {
		e.open.below++
		e.open.under = min(e.open.under, lag)
		return
	}
	e.open.near = min(e.open.near, lag)
}

// RoundTrip adds a round trip on the stream's connection. Half of the shortest
// is taken for the delay of the fastest events, which otherwise cannot be distinguished
// from a platform that is behind.
func (e *Estimator) RoundTrip(trip, now time.Duration) { e.trip.add(trip, now) }

// Tick closes the second.
func (e *Estimator) Tick(now time.Duration) {
	if e.open.events > 0 {
		e.close(now)
		e.update(now)
	}
	if e.known && now-e.agreed > hold {
		*e = Estimator{open: e.open, seconds: e.seconds[:0], floor: math.MinInt64, trip: e.trip}
	}
	if e.known {
		e.smooth(now)
	}
	e.ticked = now
}

// Estimate returns the offset, if it is known.
func (e *Estimator) Estimate(now time.Duration) (Estimate, bool) {
	ppm, rateKnown := e.rate.ppm()
	if !e.known || math.Abs(ppm) > mostPPM {
		return Estimate{}, false
	}
	oneWay := e.trip.shortest() / 2
	unsure := float64(e.jitter)/math.Sqrt(float64(e.inside)) + maxRate*float64(now-e.agreed)
	return Estimate{
		Offset:    oneWay - e.smoothed,
		Error:     oneWay + time.Duration(unsure) + (e.smoothed - e.level).Abs(),
		Samples:   e.samples,
		Rate:      ppm,
		RateKnown: rateKnown,
	}, true
}

func (e *Estimator) close(now time.Duration) {
	if len(e.seconds) == maxSeconds {
		e.seconds = e.seconds[:copy(e.seconds, e.seconds[1:])]
	}
	e.open.closed = now
	e.seconds = append(e.seconds, e.open)
	if !e.known {
		e.floor = e.median() - bulk
	}
	e.open = emptySecond()
}

// median is that of the last lags. The clock that most events are stamped by is
// near it, where the lowest lag of all may be of an outlier that is years ahead.
func (e *Estimator) median() time.Duration {
	lags := e.latest // a copy
	known := lags[:min(e.open.events, int64(len(lags)))]
	slices.Sort(known)
	return known[len(known)/2]
}

// update moves the level to that of the seconds.
func (e *Estimator) update(now time.Duration) {
	for i := range scales {
		recent := scales[i].recent(e.seconds, now)
		bottom, ok := scales[i].plateau(recent)
		if !ok {
			continue
		}
		if !e.known || e.isStep(bottom, recent) {
			e.settle(bottom, recent, scales[i].within, now)
		}
		break
	}
	if e.known {
		e.envelope(now)
	}
}

// step is the change of lag that is taken for a step of a clock.
func (e *Estimator) step() time.Duration {
	return min(max(leastStep, 3*e.jitter), mostStep)
}

// isStep reports whether a plateau is another level. Below the present one it is: no
// event arrives before it has left. Above, it may be a delay as well, as long as any
// of the recent seconds had an event without it.
func (e *Estimator) isStep(bottom time.Duration, recent []second) bool {
	if bottom < e.level-e.step() {
		return true
	}
	for i := range recent {
		if recent[i].lag() <= e.level+e.step() {
			return false
		}
	}
	return true
}

// settle restarts the measurement with a plateau.
func (e *Estimator) settle(bottom time.Duration, recent []second, within, now time.Duration) {
	kept := e.seconds[:0]
	for _, s := range recent { // which is a part of e.seconds, further on
		if lag := s.lag(); lag >= bottom && lag-bottom <= within {
			s.near, s.under, s.below = lag, nothing, 0
			kept = append(kept, s)
		}
	}
	e.seconds = kept
	e.known, e.level, e.agreed, e.jitter = true, bottom, now, within/3
	e.smoothed, e.ticked = bottom, now
	e.rate = rate{}
}

// envelope takes the level from the lowest of the seconds that agree with it,
// where an old one counts as higher by what the clocks may have parted since.
func (e *Estimator) envelope(now time.Duration) {
	best, found := second{}, nothing
	low, high := e.level-e.step(), e.level+e.step()
	e.inside, e.samples = 0, 0
	for i := range e.seconds {
		s := &e.seconds[i]
		if s.mostlyBelow() || s.near < low || s.near > high {
			continue
		}
		e.inside++
		e.samples += s.events - s.below
		aged := s.near + time.Duration(maxRate*float64(now-s.closed))
		if aged <= found {
			best, found = *s, aged
		}
	}
	if e.inside == 0 {
		e.inside = 1
		return
	}
	e.level, e.agreed = best.near, best.closed
	if latest := e.seconds[len(e.seconds)-1].near; latest >= e.level && latest <= high {
		e.jitter += (latest - e.level - e.jitter) / jitterOver
	}
	e.floor = e.level - bulk
}

// smooth moves the reported offset towards the level.
func (e *Estimator) smooth(now time.Duration) {
	passed := now - e.ticked
	if passed > 0 {
		e.smoothed += time.Duration(float64(e.level-e.smoothed) * float64(passed) / float64(passed+smoothing))
	}
	e.rate.add(-e.smoothed, now)
}
