// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// windowProcessor passes event records through, and adds window records.
//
// The counting is done by shards, each with a lock, a state and a goroutine of its
// own. There is one for the records of receivers without partitions, and one for
// each partition that this collector owns.
type windowProcessor struct {
	id        component.ID
	config    *Config
	next      consumer.Logs
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	batches   sync.Pool // of *batch

	refusedBlock atomic.Bool // one was, and it is logged

	own        *shard
	running    context.Context // ends with Shutdown
	stop       context.CancelFunc
	partitions partitions
}

func newProcessor(set processor.Settings, config *Config, next consumer.Logs) (*windowProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	p := &windowProcessor{
		id:         set.ID,
		config:     config,
		next:       next,
		logger:     set.Logger,
		telemetry:  telemetry,
		batches:    sync.Pool{New: func() any { return &batch{sessions: newSessionReader(&config.Sessions)} }},
		partitions: partitions{shards: map[partition.Partition]*shard{}},
	}
	p.own = p.newShard(config.window(), set.Logger)
	return p, nil
}

// Capabilities implements consumer.Consumer: records pass unchanged, but for the trace IDs
// of their sessions.
func (p *windowProcessor) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: p.config.Sessions.Enabled && p.config.PassThrough}
}

// Start restores the state and starts emitting.
func (p *windowProcessor) Start(ctx context.Context, host component.Host) error {
	if err := p.observe(); err != nil {
		return err
	}
	if p.config.Storage != nil {
		if err := p.open(ctx, host, time.Now()); err != nil {
			return err
		}
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends with Start
	p.running, p.stop = running, stop
	p.own.start(running)
	return nil
}

// Shutdown saves the state; without a storage it emits the windows that are still open, as
// incomplete. The receiver has revoked the partitions by now.
func (p *windowProcessor) Shutdown(ctx context.Context) error {
	defer p.telemetry.Shutdown()
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.own.done.Wait()
	p.partitions.wait()
	return p.own.end(ctx)
}

// ConsumeLogs counts a batch once it is accepted downstream, so that one that
// is refused and retried is counted once.
func (p *windowProcessor) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if from, ok := partition.FromContext(ctx); ok {
		return p.consumePartition(ctx, from, logs)
	}
	if err := p.own.checkCapacity(); err != nil {
		return err
	}
	b := p.batches.Get().(*batch)
	defer p.batches.Put(b)
	b.read(logs, pcommon.NewTimestampFromTime(time.Now()))
	if p.config.PassThrough {
		p.own.stamp(b)
		if err := p.next.ConsumeLogs(ctx, logs); err != nil {
			return err
		}
	}
	p.reportRefused(ctx, b)
	delivery, _ := wsevent.DeliveryFrom(ctx)
	p.own.count(b, delivery, time.Now().UnixMilli())
	return nil
}

// stats are the sums of all shards, those of revoked partitions included.
func (p *windowProcessor) stats() window.Stats {
	sum := p.partitions.stats()
	sum.Add(p.own.stats())
	return sum
}

// shards are all shards that there are now.
func (p *windowProcessor) shards() []*shard { return append(p.partitions.all(), p.own) }
