// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replayed is the clock of a replay that begins three hours back and goes speed
// times as fast as the events once happened, until it has caught up.
func replayed(speed float64) func(time.Duration) time.Duration {
	const behind = 3 * time.Hour
	return func(at time.Duration) time.Duration {
		return min(0, time.Duration((speed-1)*float64(at))-behind)
	}
}

func TestEstimator_ReplayIsNoClock(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1, 20, 1000} {
		for _, speed := range []float64{1.2, 2, 10, 100, 1000} {
			t.Run(fmt.Sprintf("%g per second/%g times as fast", rate, speed), func(t *testing.T) {
				t.Parallel()
				n := network{rate: rate, base: 20 * time.Millisecond, jitter: 10 * time.Millisecond, clock: replayed(speed)}
				n.run(1, 2*time.Minute, func(now time.Duration, e *Estimator) {
					estimate, known := e.Estimate(now)
					live := n.clock(now) == 0
					if !live {
						assert.False(t, known, "%v: %+v", now, estimate)
					}
					if n.clock(now-10*time.Second) == 0 {
						assert.True(t, known)
						assert.Less(t, estimate.Offset.Abs(), bound)
					}
				})
			})
		}
	}
}

// A replay that is hardly faster than the events once were looks like a clock that
// is behind, until its rate is known.
func TestEstimator_SlowReplayIsDetected(t *testing.T) {
	t.Parallel()
	for _, speed := range []float64{1.01, 1.02, 1.05, 1.1, 1.15, 1.2} {
		n := network{rate: 20, base: 20 * time.Millisecond, jitter: 10 * time.Millisecond, clock: replayed(speed)}
		believed := time.Duration(0)
		n.run(1, 20*time.Minute, func(now time.Duration, e *Estimator) {
			if _, known := e.Estimate(now); !known {
				believed = now
			}
			assert.LessOrEqual(t, now-believed, 150*time.Second, "%g times as fast", speed)
		})
	}
}

func TestEstimator_ReplayAfterLiveEvents(t *testing.T) {
	t.Parallel()
	const quiet = time.Minute
	n := network{rate: 20, base: 20 * time.Millisecond, jitter: 10 * time.Millisecond, clock: func(at time.Duration) time.Duration {
		if at < quiet {
			return 500 * time.Millisecond
		}
		return replayed(10)(at - quiet)
	}}
	n.run(1, 10*time.Minute, func(now time.Duration, e *Estimator) {
		estimate, known := e.Estimate(now)
		switch {
		case now <= 10*time.Second:
		case now < quiet+hold-10*time.Second:
			assert.True(t, known)
			assert.InDelta(t, 500*time.Millisecond, estimate.Offset, float64(bound))
		case now > quiet+hold+10*time.Second:
			assert.False(t, known, "no event agrees with the level any more")
		}
	})
}

// A backlog after an outage is a replay that ends where it began: nothing changes.
func TestEstimator_BacklogIsNoStep(t *testing.T) {
	t.Parallel()
	outage := func(at time.Duration) time.Duration {
		return stallEvery(2*time.Minute, 30*time.Second)(at + 10*time.Second)
	}
	n := network{rate: 20, base: 20 * time.Millisecond, jitter: 10 * time.Millisecond, clock: constant(0)}
	n.stalls = func(at time.Duration) time.Duration {
		if until := outage(at); until > 0 && at > 30*time.Second {
			return until - 10*time.Second
		}
		return 0
	}
	n.run(1, 6*time.Minute, func(now time.Duration, e *Estimator) {
		if now < 10*time.Second {
			return
		}
		estimate, known := e.Estimate(now)
		assert.True(t, known)
		assert.Less(t, estimate.Offset.Abs(), bound)
	})
}

func TestEstimator_FewEventsOfTheFuture(t *testing.T) {
	t.Parallel()
	strays := map[string]func(*rand.Rand) time.Duration{
		"one clock an hour ahead": func(*rand.Rand) time.Duration { return -time.Hour },
		"the year 2099":           func(*rand.Rand) time.Duration { return -73 * 365 * 24 * time.Hour },
		"anything": func(r *rand.Rand) time.Duration {
			return -time.Duration(r.Float64() * float64(100*time.Hour))
		},
	}
	for name, stray := range strays {
		for _, rate := range []int{20, 1000} {
			t.Run(fmt.Sprintf("%s, %d per second", name, rate), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(1, 1))
				e := NewEstimator()
				for now := time.Second; now < time.Minute; now += time.Second {
					for range rate {
						lag := time.Duration(random.ExpFloat64() * float64(20*time.Millisecond))
						if random.Float64() < 0.1 {
							lag = stray(random)
						}
						e.Observe(lag)
					}
					e.Tick(now)
					estimate, known := e.Estimate(now)
					if now >= 10*time.Second {
						assert.True(t, known)
						assert.Less(t, estimate.Offset.Abs(), bound)
					}
				}
			})
		}
	}
}

func TestEstimator_StepIsReportedAtOnceAndCompletely(t *testing.T) {
	t.Parallel()
	for _, to := range []time.Duration{time.Hour, -time.Hour, time.Second, -time.Second} {
		n := network{rate: 20, base: 20 * time.Millisecond, jitter: 10 * time.Millisecond, clock: stepAt(stepIn, 0, to)}
		n.run(1, short, func(now time.Duration, e *Estimator) {
			if estimate, known := e.Estimate(now); known {
				before := estimate.Offset.Abs() < bound
				after := (estimate.Offset - to).Abs() < bound
				assert.True(t, before || after, "step to %v: %v at %v is neither", to, estimate.Offset, now)
			}
		})
	}
}

// A long network delay is measured as a platform that is behind, unless a round trip is
// known.
func TestEstimator_RoundTripGivesTheDelay(t *testing.T) {
	t.Parallel()
	offset := func(trip time.Duration) (offset, unsure time.Duration) {
		n := network{rate: 20, base: 300 * time.Millisecond, jitter: 10 * time.Millisecond, clock: constant(0), trip: trip}
		n.run(1, time.Minute, func(now time.Duration, e *Estimator) {
			estimate, _ := e.Estimate(now)
			offset, unsure = estimate.Offset, estimate.Error
		})
		return offset, unsure
	}
	without, _ := offset(0)
	assert.InDelta(t, -300*time.Millisecond, without, float64(20*time.Millisecond))
	with, unsure := offset(600 * time.Millisecond)
	assert.InDelta(t, 0, with, float64(20*time.Millisecond))
	assert.GreaterOrEqual(t, unsure, 300*time.Millisecond, "all of the round trip may have been one way")
}

func TestEstimator_ShortRoundTripExpires(t *testing.T) {
	t.Parallel()
	var trip roundTrip
	trip.add(-time.Second, 0)
	trip.add(time.Hour, 0)
	assert.Zero(t, trip.shortest())
	trip.add(80*time.Millisecond, time.Second)
	trip.add(200*time.Millisecond, 2*time.Second)
	assert.Equal(t, 80*time.Millisecond, trip.shortest())
	for now := time.Minute; now < 3*tripMemory; now += time.Minute {
		trip.add(200*time.Millisecond, now)
	}
	assert.Equal(t, 200*time.Millisecond, trip.shortest())
}

func TestEstimator_ErrorBoundsTheOffset(t *testing.T) {
	t.Parallel()
	for _, jitter := range []time.Duration{0, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
		within, all := 0, 0
		for seed := range uint64(20) {
			n := network{rate: 2, jitter: jitter, clock: ramp(100)}
			n.run(seed, short, func(now time.Duration, e *Estimator) {
				if estimate, known := e.Estimate(now); known {
					all++
					if (estimate.Offset - n.clock(now)).Abs() <= estimate.Error+time.Millisecond {
						within++
					}
				}
			})
		}
		assert.Greater(t, float64(within)/float64(all), 0.9, "jitter %v", jitter)
	}
}

func TestEstimator_DriftRate(t *testing.T) {
	t.Parallel()
	for _, ppm := range []float64{-200, 0, 50, 200} {
		n := network{rate: 20, base: 20 * time.Millisecond, jitter: 50 * time.Millisecond, clock: ramp(ppm)}
		n.run(1, 15*time.Minute, func(now time.Duration, e *Estimator) {
			estimate, _ := e.Estimate(now)
			if now < time.Minute {
				assert.False(t, estimate.RateKnown)
			}
			if now >= 10*time.Minute {
				assert.True(t, estimate.RateKnown)
				assert.InDelta(t, ppm, estimate.Rate, 20)
			}
		})
	}
}

func TestEstimator_ErrorGrowsWithoutEvents(t *testing.T) {
	t.Parallel()
	e := NewEstimator()
	now := time.Duration(0)
	for range 20 {
		now += time.Second
		e.Observe(-time.Minute)
		e.Tick(now)
	}
	before, known := e.Estimate(now)
	require.True(t, known)
	now += time.Minute
	e.Tick(now)
	after, known := e.Estimate(now)
	require.True(t, known)
	assert.Equal(t, time.Minute, after.Offset)
	assert.InDelta(t, 30*time.Millisecond, after.Error-before.Error, float64(time.Millisecond), "500 ppm of a minute")
	now += hold
	e.Tick(now)
	_, known = e.Estimate(now)
	assert.False(t, known)
}

func TestEstimator_SlowStream(t *testing.T) {
	t.Parallel()
	e := NewEstimator()
	for now := time.Second; now <= 2*time.Minute; now += time.Second {
		if now%(20*time.Second) == 0 {
			e.Observe(-time.Minute)
		}
		e.Tick(now)
	}
	estimate, known := e.Estimate(2 * time.Minute)
	require.True(t, known)
	assert.Equal(t, time.Minute, estimate.Offset)
}

// For any input, an estimate is within the range of the observed lags, and the state is
// bounded.
func FuzzEstimator(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a few lags, a few seconds, and no clock to be found in them at all."))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := NewEstimator()
		now, low, high, events := time.Duration(0), time.Duration(math.MaxInt64), time.Duration(math.MinInt64), int64(0)
		for len(data) >= 6 {
			if data[0]%3 == 0 {
				now += time.Second
				e.Tick(now)
			}
			// Mostly small lags, and now and then one of years or of centuries.
			lag := time.Duration(int32(binary.LittleEndian.Uint32(data[1:]))) << (data[5] % 33)
			data = data[6:]
			e.Observe(lag)
			lag = max(-longestLag, min(lag, longestLag))
			low, high, events = min(low, lag), max(high, lag), events+1

			estimate, known := e.Estimate(now)
			require.LessOrEqual(t, len(e.seconds), maxSeconds)
			if !known {
				continue
			}
			require.GreaterOrEqual(t, -estimate.Offset, low-1)
			require.LessOrEqual(t, -estimate.Offset, high+1)
			require.GreaterOrEqual(t, estimate.Error, time.Duration(0))
			require.LessOrEqual(t, estimate.Samples, events)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	e := NewEstimator()
	for b.Loop() {
		e.Observe(20 * time.Millisecond)
	}
}

func BenchmarkTick(b *testing.B) {
	e := NewEstimator()
	random := rand.New(rand.NewPCG(1, 1))
	now := time.Duration(0)
	for b.Loop() {
		e.Observe(time.Duration(random.ExpFloat64() * float64(20*time.Millisecond)))
		now += time.Second
		e.Tick(now)
	}
}
