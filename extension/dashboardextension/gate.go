// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// gate lets so many through at a time, and so many wait.
type gate struct {
	room    *semaphore.Weighted
	waiting atomic.Int64
	limit   int64
}

var errCrowded = errors.New("too many requests are under way; try again")

func newGate(atATime, waiting int) *gate {
	return &gate{room: semaphore.NewWeighted(int64(atATime)), limit: int64(waiting)}
}

// enter waits for room. Whoever was let in has to leave.
func (g *gate) enter(ctx context.Context) error {
	if g.room.TryAcquire(1) {
		return nil
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.limit {
		return errCrowded
	}
	if err := g.room.Acquire(ctx, 1); err != nil {
		return err
	}
	if ctx.Err() != nil { // room came at the last moment
		g.leave()
		return ctx.Err()
	}
	return nil
}

func (g *gate) leave() { g.room.Release(1) }
