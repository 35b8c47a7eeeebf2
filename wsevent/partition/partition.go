// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package partition is the interface between a receiver that reads a partitioned log,
// as ccaas_kafka does, and the component that counts its events, as ws_window does. The
// receiver passes it in the context of each call; the state of the counting component is
// kept with the partition and moves with it.
package partition

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Partition is one assignment of a partition of a replayable log, together with the
// state that its owner keeps with it. After a reassignment, the partition is another
// Partition.
type Partition interface {
	// String returns the name of the partition, as "ccaas_events/3".
	String() string
	// Own makes the caller the only component that keeps state with the partition; a
	// second caller gets an error. revoke is called once, when the partition is
	// revoked: the owner saves its state before ctx ends, and drops the partition.
	Own(revoke func(ctx context.Context)) error
	// Get returns the value of a key at the time of the assignment, nil for none. Each
	// value is returned once.
	Get(key string) []byte
	// Save writes state atomically, together with position: all batches before it are
	// in the state. After an error the partition is revoked, and nothing that was not
	// saved may be emitted: the next owner starts from the last saved position.
	Save(ctx context.Context, position int64, operations ...*storage.Operation) error
	// CaughtUpTo returns the time up to which everything written to the partition has
	// been consumed. It is the wall clock of the partition's owner, and does not
	// advance while there is a backlog or the partition is unreachable. It is zero
	// before the first batch.
	CaughtUpTo() time.Time
	// DataLoss reports whether batches after the saved position no longer exist.
	DataLoss() bool
}

// Batch is the position of a call's records in a partition. A batch without records
// announces the partition, or that nothing before Next is needed any more.
type Batch struct {
	Partition Partition
	Next      int64     // position after the records
	At        time.Time // when the records were received; while there is a backlog, when they were written
}

type contextKey struct{}

// NewContext returns the context of a call that carries a batch of a partition.
func NewContext(ctx context.Context, batch Batch) context.Context {
	return context.WithValue(ctx, contextKey{}, batch)
}

// FromContext returns the batch that a call carries; ok is false where its records are
// of no partition.
func FromContext(ctx context.Context) (batch Batch, ok bool) {
	batch, ok = ctx.Value(contextKey{}).(Batch)
	return batch, ok
}
