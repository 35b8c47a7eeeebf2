// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Backoff configures the wait between connection attempts.
type Backoff struct {
	Initial    time.Duration
	Max        time.Duration // of every wait, its jitter included
	Multiplier float64
	Jitter     float64 // share of a wait, up and down; less than 1
}

// backoffState computes the wait before the next attempt. Waits grow while
// sockets fail or end early, and start anew once one has been up for at least Max.
type backoffState struct {
	settings  Backoff
	waits     backoff.ExponentialBackOff
	permanent backoff.ExponentialBackOff
}

func newBackoff(pace Backoff) *backoffState {
	ceiling := time.Duration(float64(pace.Max) / (1 + pace.Jitter)) // jitter reaches Max, and no further
	steps := backoff.ExponentialBackOff{
		InitialInterval:     min(pace.Initial, ceiling),
		MaxInterval:         ceiling,
		Multiplier:          pace.Multiplier,
		RandomizationFactor: pace.Jitter,
	}
	slowly := steps
	slowly.InitialInterval = ceiling
	return &backoffState{settings: pace, waits: steps, permanent: slowly}
}

// after returns the wait after a failed attempt.
func (p *backoffState) after(failure *Failure) time.Duration {
	if failure.Permanent {
		return p.permanent.NextBackOff()
	}
	wait := p.waits.NextBackOff()
	if failure.RetryAfter == 0 {
		return wait
	}
	return max(wait, p.spread(failure.RetryAfter))
}

// spread adds jitter to a wait that the platform asks for, so that clients do not
// return at the same instant.
func (p *backoffState) spread(wait time.Duration) time.Duration {
	return wait + time.Duration(rand.Float64()*p.settings.Jitter*float64(p.settings.Initial))
}

// afterConnection is the wait after a socket that lived for a while.
func (p *backoffState) afterConnection(lived time.Duration) time.Duration {
	if lived >= p.settings.Max {
		p.waits.Reset()
	}
	return p.waits.NextBackOff()
}
