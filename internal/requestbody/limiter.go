// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestbody

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// ErrTooManyRequests is the error of a request that would wait behind too many others.
var ErrTooManyRequests = errors.New("too many requests are in flight; retry later")

// Limiter bounds the requests that are processed at the same time, and those that wait for that.
type Limiter struct {
	slots      *semaphore.Weighted
	waiting    atomic.Int64
	maxWaiting int64
}

// NewLimiter creates a limiter with concurrent slots and room for waiting requests.
func NewLimiter(concurrent, waiting int) *Limiter {
	return &Limiter{slots: semaphore.NewWeighted(int64(concurrent)), maxWaiting: int64(waiting)}
}

// Acquire waits for a slot. Each nil error needs a Release. Other errors are ErrTooManyRequests and
// that of the context.
func (l *Limiter) Acquire(ctx context.Context) error {
	if l.slots.TryAcquire(1) {
		return nil
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > l.maxWaiting {
		return ErrTooManyRequests
	}
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	if ctx.Err() != nil { // the slot was free at the last moment
		l.Release()
		return ctx.Err()
	}
	return nil
}

// Release frees the slot of an Acquire.
func (l *Limiter) Release() { l.slots.Release(1) }
