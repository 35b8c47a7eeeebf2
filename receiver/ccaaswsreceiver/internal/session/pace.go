// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Pace is how fast a session tries again.
type Pace struct {
	Initial    time.Duration
	Max        time.Duration // of every wait, its jitter included
	Multiplier float64
	Jitter     float64 // share of a wait, up and down; less than 1
}

// pacer decides how long to wait before the next attempt. Waits grow while
// sockets fail or die young, and begin anew once one has been stable for as long
// as the longest wait: a socket that dies young must not undo them.
type pacer struct {
	pace   Pace
	waits  backoff.ExponentialBackOff
	slowly backoff.ExponentialBackOff
}

func newPacer(pace Pace) *pacer {
	ceiling := time.Duration(float64(pace.Max) / (1 + pace.Jitter)) // jitter reaches Max, and no further
	steps := backoff.ExponentialBackOff{
		InitialInterval:     min(pace.Initial, ceiling),
		MaxInterval:         ceiling,
		Multiplier:          pace.Multiplier,
		RandomizationFactor: pace.Jitter,
	}
	slowly := steps
	slowly.InitialInterval = ceiling
	return &pacer{pace: pace, waits: steps, slowly: slowly}
}

// after is the wait after a failed attempt.
func (p *pacer) after(failure *Failure) time.Duration {
	if failure.Lasting {
		return p.slowly.NextBackOff()
	}
	wait := p.waits.NextBackOff()
	if failure.RetryAfter == 0 {
		return wait
	}
	return max(wait, p.spread(failure.RetryAfter))
}

// spread is never sooner than asked; and not all clients at the same instant.
func (p *pacer) spread(wait time.Duration) time.Duration {
	return wait + time.Duration(rand.Float64()*p.pace.Jitter*float64(p.pace.Initial))
}

// afterSocket is the wait after a socket that lived for a while.
func (p *pacer) afterSocket(lived time.Duration) time.Duration {
	if lived >= p.pace.Max {
		p.waits.Reset()
	}
	return p.waits.NextBackOff()
}
