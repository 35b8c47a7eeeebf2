// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Partition is a partition of a log of batches that can be read again, as a Kafka
// partition is, together with the state that is kept beside it by whoever counts
// the events. It stands for one assignment: when the partition goes to another
// collector and comes back, that is another Partition.
type Partition interface {
	// String tells the partition from others, as "ccaas_events/3".
	String() string
	// Attend makes the caller the one that keeps the partition's state. leave is
	// called once when the partition goes: the caller saves what it has, for as
	// long as ctx allows, and forgets the partition. A second caller is refused.
	Attend(leave func(ctx context.Context)) error
	// Get gives a piece of the state as it was when the partition came here, nil
	// where there is none. A piece is given once.
	Get(key string) []byte
	// Save keeps pieces of state, and that all batches before position are in
	// them: either everything is kept or nothing. After an error the partition
	// goes, and what was not kept must not be told to anybody, since the next
	// one to have the partition begins at what was.
	Save(ctx context.Context, position int64, pieces ...*storage.Operation) error
	// ReadTo is the moment up to which everything that was written to the
	// partition has been offered: the wall clock of whoever counts its events. It
	// stands still while the partition is behind, or cannot be reached.
	ReadTo() time.Time
	// Hole says that batches behind the saved position are no longer there.
	Hole() bool
}

// Batch says where in a partition the records of a call stand.
type Batch struct {
	Partition Partition
	// Next is the position behind the records.
	Next int64
	// At is when the records came. While the partition is behind, it is when they
	// were written.
	At time.Time
}

type batchKey struct{}

// ContextWithBatch gives the context of a call that offers a batch of a
// partition. A batch without records says that the partition has come, or that
// nothing before Next is of use.
func ContextWithBatch(ctx context.Context, batch Batch) context.Context {
	return context.WithValue(ctx, batchKey{}, batch)
}

// BatchFrom tells whether the records of a call are of a partition.
func BatchFrom(ctx context.Context) (Batch, bool) {
	batch, ok := ctx.Value(batchKey{}).(Batch)
	return batch, ok
}

// StreamKey is what decides over the partition of a stream: all its records, those
// about the stream itself included, have the same key.
func StreamKey(tenantID, region string) []byte {
	key := make([]byte, 0, len(tenantID)+1+len(region))
	key = append(key, tenantID...)
	key = append(key, '/')
	return append(key, region...)
}
