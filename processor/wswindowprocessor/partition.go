// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// Where events arrive in partitions, each partition has a shard, whose state is kept with
// the partition and moves with it to another collector. Three rules make that exact:
//
//   - The state and the position of the events that are in it are saved together.
//   - Nothing is emitted that is not saved. So what a fenced owner has counted since its
//     last checkpoint was never emitted.
//   - Only the owner can save. So there is one history, whoever writes it.

// partitions are the shards of the partitions that this collector owns.
type partitions struct {
	mutex   sync.RWMutex
	shards  map[partition.Partition]*shard
	revoked window.Stats // of shards whose partitions were revoked
}

// consumePartition counts a batch of a partition, as ConsumeLogs does.
func (p *windowProcessor) consumePartition(ctx context.Context, from partition.Batch, logs plog.Logs) error {
	s, err := p.shardOf(ctx, from)
	if err != nil {
		return err
	}
	if err := s.checkCapacity(); err != nil {
		return err
	}
	b := p.batches.Get().(*batch)
	defer p.batches.Put(b)
	b.read(logs, pcommon.NewTimestampFromTime(from.At))
	if p.config.PassThrough && logs.ResourceLogs().Len() > 0 {
		s.stamp(b)
		if err := p.next.ConsumeLogs(ctx, logs); err != nil {
			return err
		}
	}
	p.reportRefused(ctx, b)
	s.countUpTo(from.Next, b, from.At.UnixMilli())
	return nil
}

// shardOf returns the shard of a partition. With the first batch it is restored.
func (p *windowProcessor) shardOf(ctx context.Context, from partition.Batch) (*shard, error) {
	p.partitions.mutex.RLock()
	s, ok := p.partitions.shards[from.Partition]
	p.partitions.mutex.RUnlock()
	if ok {
		return s, nil
	}
	s, err := p.restorePartition(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", from.Partition, err)
	}
	p.partitions.mutex.Lock()
	p.partitions.shards[from.Partition] = s
	p.partitions.mutex.Unlock()
	s.start(p.running) //nolint:contextcheck // it outlives the call, and its output is not of the batch
	return s, nil
}

func (p *windowProcessor) restorePartition(ctx context.Context, from partition.Batch) (*shard, error) {
	config := p.config.window()
	config.TrackChanges = true
	s := p.newShard(config, p.logger.With(zap.Stringer("partition", from.Partition)))
	s.storage, s.position = nil, from.Next
	s.partition = &partitionClient{Partition: from.Partition, position: from.Next}
	store := newCheckpointStore(state.NewStore(s.partition, from.Partition.String(), s.logger, nil))
	found, err := store.restore(ctx, s.engine)
	if err != nil {
		return nil, err
	}
	if err := from.Partition.Own(func(ctx context.Context) { p.revoke(ctx, from.Partition) }); err != nil {
		return nil, err
	}
	switch {
	case found.savedAt == 0:
	case from.Partition.DataLoss():
		s.engine.Resume(found.savedAt, time.Now().UnixMilli())
	default:
		s.engine.Continue(found.savedAt)
		s.clock = found.savedAt
	}
	s.useStore(store, found, time.Now())
	return s, nil
}

// revoke gives a partition up: what is counted is saved, what is saved is emitted, and the
// shard is dropped. Where it cannot be saved, the next owner of the partition counts it
// again.
func (p *windowProcessor) revoke(ctx context.Context, partition partition.Partition) {
	p.partitions.mutex.RLock()
	s, ok := p.partitions.shards[partition]
	p.partitions.mutex.RUnlock()
	if !ok {
		return
	}
	s.stop()
	s.done.Wait()
	if ctx.Err() == nil && !s.fenced() {
		if s.save(ctx, time.Now(), false) == nil {
			_ = s.emit(ctx, time.Now()) // what downstream refuses moves with the partition
		}
	}
	s.engine.EndSnapshot()
	p.partitions.mutex.Lock()
	defer p.partitions.mutex.Unlock()
	delete(p.partitions.shards, partition)
	p.partitions.revoked.AddPast(s.stats())
}

func (p *partitions) all() []*shard {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	return slices.Collect(maps.Values(p.shards))
}

// wait waits until no shard of a partition runs.
func (p *partitions) wait() {
	for _, s := range p.all() {
		s.done.Wait()
		s.engine.EndSnapshot()
	}
}

func (p *partitions) stats() window.Stats {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	sum := p.revoked
	for _, s := range p.shards {
		sum.Add(s.stats())
	}
	return sum
}

// partitionClient is the storage client of a partition's state. It saves together with a
// position.
type partitionClient struct {
	partition.Partition
	position int64
	lost     bool // a save failed: another collector owns the partition
}

// Get returns a value.
func (c *partitionClient) Get(_ context.Context, key string) ([]byte, error) {
	return c.Partition.Get(key), nil
}

// Set saves a value.
func (c *partitionClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

// Delete removes a value.
func (c *partitionClient) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

// Batch saves and removes values, all or none.
func (c *partitionClient) Batch(ctx context.Context, operations ...*storage.Operation) error {
	return c.Save(ctx, c.position, operations...)
}

// Close does nothing: the receiver revokes the partition.
func (c *partitionClient) Close(context.Context) error { return nil }
