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

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/pieces"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/progress"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// Keys of the state topic that are the receiver's own. Those of the one who keeps
// the state have the prefix.
const (
	ownerPiece    = "owner"
	positionPiece = "position"
	keeperPrefix  = "state/"
)

const (
	// saveTimeout bounds a transaction.
	saveTimeout = 15 * time.Second
	// fetchTimeout bounds the wait for more of the state.
	fetchTimeout = 30 * time.Second
)

// assignment is a partition for as long as it is here and nothing goes wrong.
type assignment struct {
	topic     string
	id        kadm.TopicID // a topic that is made anew has another
	number    int32
	state     string // topic
	client    *kgo.Client
	telemetry *metadata.TelemetryBuilder
	fail      context.CancelCauseFunc // gives the assignment up
	hole      bool
	found     pieces.Set

	saving sync.Mutex // one transaction at a time
	layout pieces.Layout
	saved  int64 // position

	mutex    sync.Mutex
	progress progress.Progress
	leave    func(context.Context)
}

var _ partition.Partition = (*assignment)(nil)

// String names the partition.
func (a *assignment) String() string { return fmt.Sprintf("%s/%d", a.topic, a.number) }

// Attend lets one consumer keep the partition's state.
func (a *assignment) Own(leave func(context.Context)) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.leave != nil {
		return errors.New("has its windows counted already; a ccaas_kafka receiver can have one ws_window processor behind it, in one pipeline")
	}
	a.leave = leave
	return nil
}

// Get gives a piece of the state that was found.
func (a *assignment) Get(key string) []byte { return a.found.Take(&a.layout, keeperPrefix+key) }

// Save keeps pieces and the position in a transaction. Where that fails nobody knows
// what the brokers have, or another collector has the partition. Either way the
// assignment is given up: whoever has the partition next, be it we, finds out.
func (a *assignment) Save(ctx context.Context, position int64, operations ...*storage.Operation) error {
	a.saving.Lock()
	defer a.saving.Unlock()
	records, err := a.layOut(position, operations)
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

// layOut makes records of what is to be saved.
func (a *assignment) layOut(position int64, operations []*storage.Operation) (records []pieces.Record, err error) {
	for _, operation := range operations {
		switch key := keeperPrefix + operation.Key; operation.Type {
		case storage.Set:
			records = append(records, a.layout.Set(key, operation.Value)...)
		case storage.Delete:
			records = append(records, a.layout.Delete(key)...)
		default:
			return nil, fmt.Errorf("%s: cannot be read again, only with Get", operation.Key)
		}
	}
	return append(records, a.layout.Set(positionPiece, append(binary.AppendVarint(nil, position), a.id[:]...))...), nil
}

// commit writes records in one transaction.
func (a *assignment) commit(ctx context.Context, records []pieces.Record) error {
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
		return err // the next one to claim the partition aborts it
	}
	return a.client.EndTransaction(ctx, kgo.TryCommit)
}

// ReadTo is how far the partition has been read, in time.
func (a *assignment) CaughtUpTo() time.Time {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.progress.ReadTo()
}

// Hole says that messages behind the saved position are gone.
func (a *assignment) DataLoss() bool { return a.hole }

func (a *assignment) passed(position int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.progress.Passed(position)
}

func (a *assignment) saw(end int64, asked time.Time) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.progress.Saw(end, asked)
}

// figures are for own telemetry and for the group.
func (a *assignment) figures() (lag, saved int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.progress.Lag(), a.saved
}
