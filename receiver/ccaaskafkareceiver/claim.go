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

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/statelog"
)

// prepare reads the metadata of the topic, and creates the state's topic.
func (p *partitionReader) prepare(ctx context.Context, client *kgo.Client) (partitions int, id kadm.TopicID, err error) {
	config, admin := p.receiver.config, kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, config.Topic, config.stateTopic())
	if err != nil {
		return 0, id, err
	}
	events, state := topics[config.Topic], topics[config.stateTopic()]
	if events.Err != nil {
		return 0, id, fmt.Errorf("topic: %s: %w", config.Topic, events.Err)
	}
	partitions = len(events.Partitions)
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
		return 0, id, fmt.Errorf("state.topic: %s: %w", config.stateTopic(), err)
	}
	return partitions, events.ID, nil
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

// claim takes ownership of the partition, and reads its state.
//
// The first transaction under the partition's transactional id makes the brokers
// fence an earlier owner, and abort its open transaction. The transaction holds a
// mark; everything before the mark is the state.
func (p *partitionReader) claim(ctx context.Context, a *assignment) error {
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // it never fails
	if err := a.commit(ctx, []statelog.Record{{Key: []byte(ownerKey), Value: mark}}); err != nil {
		return fmt.Errorf("claiming %s: %w", a, err)
	}
	a.snapshot.Keep = positionKey
	if err := a.restore(ctx, mark); err != nil {
		return err
	}
	if dropped := a.snapshot.Dropped; dropped > 0 {
		a.dataLoss = true
		p.logger.Error("State exceeds its bound; what is beyond is ignored, and the windows of its time are incomplete. Delete the state topic's stale keys, or use another state.topic",
			zap.Stringer("partition", a), zap.String("state_topic", a.state), zap.Int("max_bytes", statelog.MaxBytes), zap.Int("ignored_records", dropped))
	}
	return nil
}

// restore reads the state up to a mark.
func (a *assignment) restore(ctx context.Context, mark []byte) error {
	here := map[string][]int32{a.state: {a.number}}
	a.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{a.state: {a.number: kgo.NewOffset().AtStart()}})
	defer a.client.RemoveConsumePartitions(here)
	for {
		fetches, err := a.fetch(ctx)
		if err != nil {
			return fmt.Errorf("reading the state of %s: %w", a, err)
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
			a.snapshot.Add(statelog.Record{Key: record.Key, Value: record.Value})
		}
	}
}

// fetch returns the next records, which exist and so arrive soon.
func (a *assignment) fetch(ctx context.Context) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fetches := a.client.PollFetches(ctx)
	return fetches, fetches.Err()
}

// position returns the offset at which reading starts: that of the state, or of the
// configuration.
func (p *partitionReader) position(ctx context.Context, a *assignment) (position, end int64, err error) {
	admin := kadm.NewClient(a.client)
	start, err := p.offset(ctx, admin.ListStartOffsets)
	if err != nil {
		return 0, 0, err
	}
	if end, err = p.offset(ctx, admin.ListCommittedOffsets); err != nil {
		return 0, 0, err
	}
	piece := a.snapshot.Take(&a.writer, positionKey)
	position, size := binary.Varint(piece)
	switch {
	case piece == nil && p.receiver.config.InitialOffset == latest:
		return end, end, nil
	case piece == nil:
		return start, end, nil
	case size <= 0:
		return 0, 0, fmt.Errorf("the position of %s in %s cannot be read; to start anew, use another state.topic or group_id", a, a.state)
	case !bytes.Equal(piece[size:], a.id[:]):
		p.recordDataLoss(ctx, a, 0, "the topic was created again; its messages are read from the beginning")
		return start, end, nil
	case position < start:
		p.recordDataLoss(ctx, a, start-position, "the topic no longer holds them; increase its retention beyond the downtime of collectors")
		return start, end, nil
	case position > end:
		p.recordDataLoss(ctx, a, position-end, "the topic ends before the saved position; its brokers have lost messages")
		return end, end, nil
	}
	return position, end, nil
}

func (p *partitionReader) offset(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
	listed, err := list(ctx, p.receiver.config.Topic)
	if err != nil {
		return 0, err
	}
	found, ok := listed.Lookup(p.receiver.config.Topic, p.number)
	if !ok {
		return 0, fmt.Errorf("%s/%d: there is no such partition", p.receiver.config.Topic, p.number)
	}
	return found.Offset, found.Err
}
