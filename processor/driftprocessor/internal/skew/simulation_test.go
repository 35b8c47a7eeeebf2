// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// network simulates the connection from a platform, and the platform's clock.
type network struct {
	rate    float64                              // events per second
	clock   func(at time.Duration) time.Duration // how far the platform is ahead
	base    time.Duration                        // the shortest delay
	jitter  time.Duration                        // mean of the exponential part
	spikes  float64                              // share of events with spikeOf on top
	spikeOf time.Duration                        //
	stalls  func(at time.Duration) time.Duration // until when nothing arrives, or 0
	loss    float64                              // share of events that never arrive
	replay  float64                              // share of events that are hours old
	trip    time.Duration                        // round trip, reported every ten seconds, if any
}

func constant(offset time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return offset }
}

func stepAt(when, from, to time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration {
		if at < when {
			return from
		}
		return to
	}
}

func ramp(ppm float64) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration { return time.Duration(ppm * 1e-6 * float64(at)) }
}

// stallEvery delays all events until the end of a stall of the given length.
func stallEvery(period, length time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration {
		if into := at % period; into < length {
			return at - into + length
		}
		return 0
	}
}

// batches delays all events until the next batch is sent.
func batches(period time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration { return at - at%period + period }
}

type arrival struct{ at, lag time.Duration }

// run feeds the simulated events to an Estimator, and calls look after every second.
func (n network) run(seed uint64, length time.Duration, look func(now time.Duration, e *Estimator)) {
	random := rand.New(rand.NewPCG(seed, 1))
	e := NewEstimator()
	var onTheWay []arrival
	next := time.Duration(0)
	for now := time.Second; now <= length; now += time.Second {
		for next < now {
			if a, ok := n.send(next, random); ok {
				onTheWay = append(onTheWay, a)
			}
			next += time.Duration((0.5 + random.Float64()) / n.rate * float64(time.Second))
		}
		slices.SortFunc(onTheWay, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
		there := 0
		for there < len(onTheWay) && onTheWay[there].at < now {
			e.Observe(onTheWay[there].lag)
			there++
		}
		onTheWay = slices.Delete(onTheWay, 0, there)
		if n.trip > 0 && now%(10*time.Second) == 0 {
			e.RoundTrip(n.trip+time.Duration(random.ExpFloat64()*float64(n.jitter)), now)
		}
		e.Tick(now)
		look(now, e)
	}
}

func (n network) send(at time.Duration, random *rand.Rand) (arrival, bool) {
	delay := n.base + time.Duration(random.ExpFloat64()*float64(n.jitter))
	if random.Float64() < n.spikes {
		delay += n.spikeOf
	}
	there := at + delay
	if n.stalls != nil {
		there = max(there, n.stalls(there))
	}
	stamp := at + n.clock(at)
	if random.Float64() < n.replay {
		stamp -= time.Hour + time.Duration(random.Float64()*float64(3*time.Hour))
	}
	return arrival{at: there, lag: there - stamp}, random.Float64() >= n.loss
}

// bound is the maximum error of an estimate, from ten seconds after the start or a step on.
const bound = 100 * time.Millisecond

type simulation struct {
	name   string
	change func(n *network)
	step   time.Duration // when the clock is stepped, if it is
	length time.Duration
	least  float64 // events per second that it takes to be found in ten seconds
}

const (
	short  = 2 * time.Minute
	stepIn = 63500 * time.Millisecond
)

func clocks() []simulation {
	set := func(clock func(time.Duration) time.Duration) func(*network) {
		return func(n *network) { n.clock = clock }
	}
	return []simulation{
		{"in step", set(constant(0)), 0, short, 0},
		{"90 s ahead", set(constant(90 * time.Second)), 0, short, 0},
		{"90 s behind", set(constant(-90 * time.Second)), 0, short, 0},
		{"500 ms ahead", set(constant(500 * time.Millisecond)), 0, short, 0},
		{"steps an hour ahead", set(stepAt(stepIn, 0, time.Hour)), stepIn, short, 0},
		{"steps an hour back", set(stepAt(stepIn, 0, -time.Hour)), stepIn, short, 0},
		{"steps half a second ahead", set(stepAt(stepIn, 0, 500*time.Millisecond)), stepIn, short, 0},
		{"steps half a second back", set(stepAt(stepIn, 0, -500*time.Millisecond)), stepIn, short, 0},
		{"gains 200 ppm", set(ramp(200)), 0, time.Hour, 0},
		{"loses 200 ppm", set(ramp(-200)), 0, time.Hour, 0},
	}
}

func troubles() []simulation {
	return []simulation{
		{name: "calm", change: func(*network) {}},
		{name: "jitter", change: func(n *network) { n.jitter = 50 * time.Millisecond }},
		{name: "asymmetric delay, round trip known", change: func(n *network) { n.base, n.trip = 60*time.Millisecond, 80*time.Millisecond }},
		{name: "5 % spikes of 2 s", change: func(n *network) { n.spikes, n.spikeOf = 0.05, 2*time.Second }},
		{name: "stalls of 2 s", change: func(n *network) { n.stalls = stallEvery(11*time.Second, 2*time.Second) }},
		{name: "a long way, round trip unknown", change: func(n *network) { n.base = 60 * time.Millisecond }},
		{name: "batches of a second", least: 20, change: func(n *network) { n.stalls = batches(time.Second) }},
		{name: "batches of two seconds", least: 20, change: func(n *network) { n.stalls = batches(2 * time.Second) }},
		{name: "20 % loss", change: func(n *network) { n.loss = 0.2 }},
		{name: "replays among them", change: func(n *network) { n.replay = 0.2 }},
		{name: "all at once", change: func(n *network) {
			n.jitter, n.spikes, n.spikeOf, n.loss, n.replay = 20*time.Millisecond, 0.05, 2*time.Second, 0.1, 0.05
		}},
	}
}

func TestEstimator_FindsTheOffsetWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1, 20, 1000} {
		for _, clock := range clocks() {
			for _, trouble := range troubles() {
				if rate < trouble.least {
					continue
				}
				t.Run(fmt.Sprintf("%g per second/%s/%s", rate, clock.name, trouble.name), func(t *testing.T) {
					t.Parallel()
					n := network{rate: rate, base: 20 * time.Millisecond, jitter: 10 * time.Millisecond}
					clock.change(&n)
					trouble.change(&n)
					for seed := range seeds(rate, clock.length) {
						worst := worstError(n, seed, lengthOf(rate, clock.length), clock.step)
						assert.LessOrEqual(t, worst, bound, "seed %d", seed)
					}
				})
			}
		}
	}
}

// seeds is how many runs a test takes. With one event a second it is one: where
// a fifth of these is lost, chance may leave too few of them in ten seconds.
func seeds(rate float64, length time.Duration) uint64 {
	if rate == 20 && length == short {
		return 10
	}
	return 1
}

// lengthOf keeps the runs with many events short: the drift is the same.
func lengthOf(rate float64, length time.Duration) time.Duration {
	if rate == 1000 {
		return min(length, 5*time.Minute)
	}
	return length
}

// worstError is the largest error in the time for which the bound holds.
func worstError(n network, seed uint64, length, step time.Duration) time.Duration {
	worst := time.Duration(0)
	n.run(seed, length, func(now time.Duration, e *Estimator) {
		promised := now >= 10*time.Second && (step == 0 || now < step || now >= step+10*time.Second)
		if !promised {
			return
		}
		estimate, ok := e.Estimate(now)
		if !ok {
			worst = 1 << 60
			return
		}
		worst = max(worst, (estimate.Offset - n.clock(now)).Abs())
	})
	return worst
}
