// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/statelog"
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

// partitionLog is a claimed partition. It has a client of its own, so that its failures do not affect
// other partitions.
type partitionLog struct {
	receiver   *kafkaReceiver
	number     int32
	logger     *zap.Logger
	client     *kgo.Client
	id         kadm.TopicID // a topic that is created again has another
	partitions int
	topic      string
	state      string // topic
	snapshot   statelog.Snapshot
	writer     statelog.Writer
	start      int64 // position; reading begins with the first Read
	reading    bool
	place      func(key []byte) int
}

var _ partitioned.Log = (*partitionLog)(nil)

// claim claims a partition, and reads its state.
func (r *kafkaReceiver) claim(ctx context.Context, number int32, logger *zap.Logger) (partitioned.Log, error) {
	client, err := r.partitionClient(number)
	if err != nil {
		return nil, err
	}
	l := &partitionLog{receiver: r, number: number, logger: logger, client: client, topic: r.config.Topic, state: r.config.stateTopic()}
	if err := l.prepare(ctx); err != nil {
		l.Close()
		return nil, err
	}
	if err := l.fence(ctx); err != nil {
		l.Close()
		return nil, err
	}
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(l.topic)
	l.place = func(key []byte) int { return partitioner.Partition(&kgo.Record{Key: key}, l.partitions) }
	return l, nil
}

// Close closes the client. Its topics are purged first: a metadata update while it
// closes could start to fetch again.
func (l *partitionLog) Close() {
	l.client.PurgeTopicsFromClient(l.topic, l.state)
	l.client.Close()
}

// String implements partitioned.Log.
func (l *partitionLog) String() string { return fmt.Sprintf("%s/%d", l.topic, l.number) }

// Place implements partitioned.Log.
func (l *partitionLog) Place(key []byte) int { return l.place(key) }

// Get implements partitioned.Log.
func (l *partitionLog) Get(key string) []byte { return l.snapshot.Take(&l.writer, statePrefix+key) }

// Restored implements partitioned.Log.
func (l *partitionLog) Restored() { l.snapshot.Release() }

// Save writes values and the position in a transaction.
func (l *partitionLog) Save(ctx context.Context, position int64, operations []*storage.Operation) error {
	return l.commit(ctx, l.toRecords(position, operations))
}

// toRecords makes records of what is to be saved.
func (l *partitionLog) toRecords(position int64, operations []*storage.Operation) (records []statelog.Record) {
	for _, operation := range operations {
		if key := statePrefix + operation.Key; operation.Type == storage.Set {
			records = append(records, l.writer.Set(key, operation.Value)...)
		} else {
			records = append(records, l.writer.Delete(key)...)
		}
	}
	return append(records, l.writer.Set(positionKey, append(binary.AppendVarint(nil, position), l.id[:]...))...)
}

// commit writes records in one transaction.
func (l *partitionLog) commit(ctx context.Context, records []statelog.Record) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := l.client.BeginTransaction(); err != nil {
		return err
	}
	produced := make([]*kgo.Record, len(records))
	for i, record := range records {
		produced[i] = &kgo.Record{Topic: l.state, Partition: l.number, Key: record.Key, Value: record.Value}
	}
	if err := l.client.ProduceSync(ctx, produced...).FirstErr(); err != nil {
		return err // the next owner of the partition aborts it
	}
	return l.client.EndTransaction(ctx, kgo.TryCommit)
}

// Read implements partitioned.Log.
func (l *partitionLog) Read(ctx context.Context) (partitioned.Fetch, error) {
	if !l.reading {
		l.reading = true
		l.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: {l.number: kgo.NewOffset().At(l.start)}})
	}
	for {
		fetches := l.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return partitioned.Fetch{}, err
		}
		var fetched partitioned.Fetch
		fetches.EachPartition(func(of kgo.FetchTopicPartition) {
			if of.Topic == l.topic {
				fetched = toFetch(of.Records)
			}
		})
		if fetched.Next > 0 {
			return fetched, nil
		}
	}
}

// toFetch returns the messages of records, without control records.
func toFetch(records []*kgo.Record) (fetched partitioned.Fetch) {
	if len(records) == 0 {
		return fetched
	}
	fetched.Next = records[len(records)-1].Offset + 1
	fetched.Messages = make([]partitioned.Message, 0, len(records))
	for _, record := range records {
		if !record.Attrs.IsControl() {
			fetched.Messages = append(fetched.Messages, partitioned.Message{Offset: record.Offset, Written: record.Timestamp, Value: record.Value})
		}
	}
	return fetched
}
