// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var production = Backoff{Initial: time.Second, Max: time.Minute, Multiplier: 2, Jitter: 0.5}

func TestBackoff_GrowsToMax(t *testing.T) {
	t.Parallel()
	p := newBackoff(production)
	failure := retryable(Unavailable, errors.New("503"))
	base := time.Second
	for range 1000 {
		wait := p.after(failure)
		assert.GreaterOrEqual(t, wait, base/2)
		assert.LessOrEqual(t, wait, base*3/2+time.Nanosecond)
		assert.LessOrEqual(t, wait, production.Max)
		base = min(2*base, 40*time.Second) // and half of that on top is the bound
	}
}

func TestBackoff_ResetByStableSocket(t *testing.T) {
	t.Parallel()
	pace := production
	pace.Jitter = 0
	p := newBackoff(pace)
	assert.Equal(t, time.Second, p.afterConnection(0))
	assert.Equal(t, 2*time.Second, p.afterConnection(59*time.Second), "died young")
	assert.Equal(t, 4*time.Second, p.after(retryable(Unreachable, errors.New("refused"))))
	assert.Equal(t, time.Second, p.afterConnection(time.Minute), "was stable")
}

func TestBackoff_PermanentFailures(t *testing.T) {
	t.Parallel()
	p := newBackoff(production)
	for range 100 {
		wait := p.after(permanent(Unauthorized, errors.New("403")))
		assert.GreaterOrEqual(t, wait, 20*time.Second)
		assert.LessOrEqual(t, wait, production.Max)
	}
	assert.LessOrEqual(t, p.after(retryable(Unreachable, errors.New("refused"))), 3*time.Second/2, "and do not count")
}

func TestBackoff_RetryAfter(t *testing.T) {
	t.Parallel()
	for range 100 {
		p := newBackoff(production)
		wait := p.after(&Failure{Cause: Throttled, RetryAfter: 5 * time.Minute, err: errors.New("429")})
		assert.GreaterOrEqual(t, wait, 5*time.Minute)
		assert.LessOrEqual(t, wait, 5*time.Minute+time.Second)
		assert.GreaterOrEqual(t, p.after(&Failure{RetryAfter: time.Millisecond, err: errors.New("429")}), time.Second, "backing off is longer")
	}
}
