// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/lag"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/statelog"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// Keys of the state topic. Those of the owner of the state have the prefix.
const (
	ownerKey    = "owner"
	positionKey = "position"
	statePrefix = "state/"
)

const (
	// saveTimeout bounds a transaction.
	saveTimeout = 15 * time.Second
	// fetchTimeout bounds the wait for more of the state.
	fetchTimeout = 30 * time.Second
)

// assignment is one assignment of a partition, until it is revoked or fails.
type assignment struct {
	topic     string
	id        kadm.TopicID // a topic that is created again has another
	number    int32
	state     string // topic
	client    *kgo.Client
	telemetry *metadata.TelemetryBuilder
	fail      context.CancelCauseFunc // ends the assignment
	dataLoss  bool
	snapshot  statelog.Snapshot

	saving sync.Mutex // one transaction at a time
	writer statelog.Writer
	saved  int64 // position

	mutex    sync.Mutex
	lag      lag.Tracker
	onRevoke func(context.Context)
}

var _ partition.Partition = (*assignment)(nil)

// String implements partition.Partition.
func (a *assignment) String() string { return fmt.Sprintf("%s/%d", a.topic, a.number) }

// Own implements partition.Partition.
func (a *assignment) Own(revoke func(context.Context)) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.onRevoke != nil {
		return errors.New("already has an owner; a ccaas_kafka receiver can have one ws_window processor after it, in one pipeline")
	}
	a.onRevoke = revoke
	return nil
}

// Get implements partition.Partition.
func (a *assignment) Get(key string) []byte { return a.snapshot.Take(&a.writer, statePrefix+key) }

// Save writes values and the position in a transaction. Where that fails it is unknown
// what the brokers have, or another collector owns the partition. Either way the
// assignment ends, and the next one reads what was saved.
func (a *assignment) Save(ctx context.Context, position int64, operations ...*storage.Operation) error {
	a.saving.Lock()
	defer a.saving.Unlock()
	records, err := a.toRecords(position, operations)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := a.commit(ctx, records); err != nil {
		err = fmt.Errorf("checkpoint of %s: %w", a, err)
		a.telemetry.CcaasKafkaCheckpointFailures.Add(ctx, 1)
		a.fail(err)
		return err
	}
	a.telemetry.CcaasKafkaCheckpointDuration.Record(ctx, time.Since(begun).Seconds())
	a.mutex.Lock()
	a.saved = position
	a.mutex.Unlock()
	return nil
}

// toRecords makes records of what is to be saved.
func (a *assignment) toRecords(position int64, operations []*storage.Operation) (records []statelog.Record, err error) {
	for _, operation := range operations {
		switch key := statePrefix + operation.Key; operation.Type {
		case storage.Set:
			records = append(records, a.writer.Set(key, operation.Value)...)
		case storage.Delete:
			records = append(records, a.writer.Delete(key)...)
		default:
			return nil, fmt.Errorf("%s: cannot be read in a batch, only with Get", operation.Key)
		}
	}
	return append(records, a.writer.Set(positionKey, append(binary.AppendVarint(nil, position), a.id[:]...))...), nil
}

// commit writes records in one transaction.
func (a *assignment) commit(ctx context.Context, records []statelog.Record) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := a.client.BeginTransaction(); err != nil {
		return err
	}
	produced := make([]*kgo.Record, len(records))
	for i, record := range records {
		produced[i] = &kgo.Record{Topic: a.state, Partition: a.number, Key: record.Key, Value: record.Value}
	}
	if err := a.client.ProduceSync(ctx, produced...).FirstErr(); err != nil {
		return err // the next owner of the partition aborts it
	}
	return a.client.EndTransaction(ctx, kgo.TryCommit)
}

// CaughtUpTo implements partition.Partition.
func (a *assignment) CaughtUpTo() time.Time {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.lag.CaughtUpTo()
}

// DataLoss implements partition.Partition.
func (a *assignment) DataLoss() bool { return a.dataLoss }

func (a *assignment) consumed(position int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.lag.Consumed(position)
}

func (a *assignment) endOffset(end int64, queriedAt time.Time) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.lag.EndOffset(end, queriedAt)
}

// lagAndSaved returns the lag in messages and the saved position.
func (a *assignment) lagAndSaved() (lag, saved int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.lag.Lag(), a.saved
}
