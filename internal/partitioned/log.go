// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Log is a partition that this collector has claimed, until it is closed.
type Log interface {
	// String returns the name of the partition, as "ccaas_events/3".
	String() string
	// Start returns where reading starts. It is called once, before Get.
	Start(ctx context.Context) (Start, error)
	// Get returns the value of a key, nil for none. Each value is returned once.
	Get(key string) []byte
	// Restored is called when no value is needed any more.
	Restored()
	// Save writes values and the position, all or none. After an error it is unknown what
	// is written, or another collector owns the partition.
	Save(ctx context.Context, position int64, operations []*storage.Operation) error
	// Read waits for messages. Those that it returned before are consumed.
	Read(ctx context.Context) (Fetch, error)
	// Place returns the number of the partition to which a key belongs.
	Place(key []byte) int
	// Close gives the partition up. The broker may know it as owned until then.
	Close()
}

// Start is where reading of a partition starts.
type Start struct {
	Position int64
	End      int64 // of the partition, where it is known

	Lost       int64  // number of messages after the saved position that no longer exist
	LossReason string // empty: nothing is lost
	StateLost  bool   // part of the state is lost
}

// Message is a message of a partition.
type Message struct {
	Offset  int64
	Written time.Time
	Value   []byte
	Err     error // the message cannot be read
}

// Fetch holds consecutive messages.
type Fetch struct {
	Messages []Message
	Next     int64 // position after them
}
