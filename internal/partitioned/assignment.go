// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned/lag"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// Assignment is one assignment of a partition, until it is revoked or fails.
type Assignment struct {
	engine   *Engine
	log      Log
	fail     context.CancelCauseFunc // ends the assignment
	dataLoss bool

	saving sync.Mutex // one checkpoint at a time

	mutex    sync.Mutex
	lag      lag.Tracker
	saved    int64 // position
	onRevoke func(context.Context)
}

var _ partition.Partition = (*Assignment)(nil)

// String implements partition.Partition.
func (a *Assignment) String() string { return a.log.String() }

// Own implements partition.Partition.
func (a *Assignment) Own(revoke func(context.Context)) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.onRevoke != nil {
		return fmt.Errorf("already has an owner; a %s receiver can have one ws_window processor after it, in one pipeline", a.engine.Component)
	}
	a.onRevoke = revoke
	return nil
}

// Get implements partition.Partition.
func (a *Assignment) Get(key string) []byte { return a.log.Get(key) }

// Save writes values and the position. Where that fails, the assignment ends, and the next
// one reads what was saved.
func (a *Assignment) Save(ctx context.Context, position int64, operations ...*storage.Operation) error {
	a.saving.Lock()
	defer a.saving.Unlock()
	for _, operation := range operations {
		if operation.Type != storage.Set && operation.Type != storage.Delete {
			return fmt.Errorf("%s: cannot be read in a batch, only with Get", operation.Key)
		}
	}
	begun := time.Now()
	if err := a.log.Save(ctx, position, operations); err != nil {
		err = fmt.Errorf("checkpoint of %s: %w", a, err)
		a.engine.Telemetry.CheckpointFailures.Add(ctx, 1)
		a.fail(err)
		return err
	}
	a.engine.Telemetry.CheckpointDuration.Record(ctx, time.Since(begun).Seconds())
	a.mutex.Lock()
	a.saved = position
	a.mutex.Unlock()
	return nil
}

// CaughtUpTo implements partition.Partition.
func (a *Assignment) CaughtUpTo() time.Time {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.lag.CaughtUpTo()
}

// DataLoss implements partition.Partition.
func (a *Assignment) DataLoss() bool { return a.dataLoss }

func (a *Assignment) consumed(position int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.lag.Consumed(position)
}

// EndOffset records the end of the partition that a query at a time returned.
func (a *Assignment) EndOffset(end int64, queriedAt time.Time) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.lag.EndOffset(end, queriedAt)
}

// LagAndSaved returns the lag in messages and the saved position.
func (a *Assignment) LagAndSaved() (lag, saved int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.lag.Lag(), a.saved
}

// owned reports whether a component downstream owns the state.
func (a *Assignment) owned() (revoke func(context.Context), err error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.onRevoke == nil {
		return nil, errors.New("no component of the pipeline owns the state of its partitions: put a ws_window processor behind " + a.engine.Component +
			", with nothing that batches or filters between them" + a.engine.Alternative)
	}
	return a.onRevoke, nil
}

// Log returns the log of the partition.
func (a *Assignment) Log() Log { return a.log }
