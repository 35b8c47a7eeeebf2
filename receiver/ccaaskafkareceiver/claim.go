// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/statelog"
)

// prepare reads the metadata of the topic, and creates the state's topic.
func (l *partitionLog) prepare(ctx context.Context) error {
	config, admin := l.receiver.config, kadm.NewClient(l.client)
	topics, err := admin.ListTopics(ctx, config.Topic, config.stateTopic())
	if err != nil {
		return err
	}
	events, state := topics[config.Topic], topics[config.stateTopic()]
	if events.Err != nil {
		return fmt.Errorf("topic: %s: %w", config.Topic, events.Err)
	}
	partitions := len(events.Partitions)
	// Other partitions and collectors may create the topic at the same time.
	switch {
	case errors.Is(state.Err, kerr.UnknownTopicOrPartition) && config.State.Create:
		_, err = admin.CreateTopic(ctx, int32(partitions), config.State.ReplicationFactor, stateTopicConfig(), config.stateTopic()) //nolint:gosec // Kafka's own number
		if errors.Is(err, kerr.TopicAlreadyExists) {
			err = nil
		}
	case state.Err != nil:
		err = state.Err
	case len(state.Partitions) < partitions && config.State.Create:
		_, err = admin.UpdatePartitions(ctx, partitions, config.stateTopic())
		if errors.Is(err, kerr.InvalidPartitions) {
			err = nil
		}
	case len(state.Partitions) < partitions:
		err = fmt.Errorf("has %d partitions and must have as many as %s, %d", len(state.Partitions), config.Topic, partitions)
	}
	if err != nil {
		return fmt.Errorf("state::topic: %s: %w", config.stateTopic(), err)
	}
	l.partitions, l.id = partitions, events.ID
	return nil
}

// stateTopicConfig keeps the topic small, since all of a partition is read at its
// assignment: segments are short, and only closed ones are compacted.
func stateTopicConfig() map[string]*string {
	return map[string]*string{
		"cleanup.policy":            new("compact"),
		"segment.bytes":             new("16777216"),
		"segment.ms":                new("600000"),
		"min.cleanable.dirty.ratio": new("0.1"),
		"delete.retention.ms":       new("3600000"),
	}
}

// fence takes ownership of the partition, and reads its state.
//
// The first transaction under the partition's transactional id makes the brokers
// fence an earlier owner, and abort its open transaction. The transaction holds a
// mark; everything before the mark is the state.
func (l *partitionLog) fence(ctx context.Context) error {
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // it never fails
	if err := l.commit(ctx, []statelog.Record{{Key: []byte(ownerKey), Value: mark}}); err != nil {
		return fmt.Errorf("claiming %s: %w", l, err)
	}
	l.snapshot.Keep = positionKey
	if err := l.restore(ctx, mark); err != nil {
		return err
	}
	if dropped := l.snapshot.Dropped; dropped > 0 {
		l.logger.Error("State exceeds its bound; what is beyond is ignored, and the windows of its time are incomplete. Delete the state topic's stale keys, or use another state::topic",
			zap.String("topic", l.topic), zap.String("state_topic", l.state), zap.Int("max_bytes", statelog.MaxBytes), zap.Int("ignored_records", dropped))
	}
	return nil
}

// restore reads the state up to a mark.
func (l *partitionLog) restore(ctx context.Context, mark []byte) error {
	here := map[string][]int32{l.state: {l.number}}
	l.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.state: {l.number: kgo.NewOffset().AtStart()}})
	defer l.client.RemoveConsumePartitions(here)
	for {
		fetches, err := l.fetch(ctx)
		if err != nil {
			return fmt.Errorf("reading the state of %s: %w", l, err)
		}
		for records := fetches.RecordIter(); !records.Done(); {
			record := records.Next()
			if record.Attrs.IsControl() {
				continue
			}
			if string(record.Key) == ownerKey {
				if bytes.Equal(record.Value, mark) {
					return nil
				}
				continue
			}
			l.snapshot.Add(statelog.Record{Key: record.Key, Value: record.Value})
		}
	}
}

// fetch returns the next records, which exist and so arrive soon.
func (l *partitionLog) fetch(ctx context.Context) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fetches := l.client.PollFetches(ctx)
	return fetches, fetches.Err()
}

// Start returns the offset at which reading starts: that of the state, or of the
// configuration.
func (l *partitionLog) Start(ctx context.Context) (partitioned.Start, error) {
	admin := kadm.NewClient(l.client)
	first, err := l.offset(ctx, admin.ListStartOffsets)
	if err != nil {
		return partitioned.Start{}, err
	}
	end, err := l.offset(ctx, admin.ListCommittedOffsets)
	if err != nil {
		return partitioned.Start{}, err
	}
	start := partitioned.Start{End: end, StateLost: l.snapshot.Dropped > 0}
	piece := l.snapshot.Take(&l.writer, positionKey)
	position, size := binary.Varint(piece)
	switch {
	case piece == nil && l.receiver.config.InitialOffset == latest:
		start.Position = end
	case piece == nil:
		start.Position = first
	case size <= 0:
		return start, fmt.Errorf("the position of %s in %s cannot be read; to start anew, use another state::topic or group_id", l, l.state)
	case !bytes.Equal(piece[size:], l.id[:]):
		start.Position, start.LossReason = first, "the topic was created again; its messages are read from the beginning"
	case position < first:
		start.Position, start.Lost = first, first-position
		start.LossReason = "the topic no longer holds them; increase its retention beyond the downtime of collectors"
	case position > end:
		start.Position, start.Lost = end, position-end
		start.LossReason = "the topic ends before the saved position; its brokers have lost messages"
	default:
		start.Position = position
	}
	l.start = start.Position
	return start, nil
}

func (l *partitionLog) offset(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
	listed, err := list(ctx, l.topic)
	if err != nil {
		return 0, err
	}
	found, ok := listed.Lookup(l.topic, l.number)
	if !ok {
		return 0, fmt.Errorf("%s/%d: there is no such partition", l.topic, l.number)
	}
	return found.Offset, found.Err
}
