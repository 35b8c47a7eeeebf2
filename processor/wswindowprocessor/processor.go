// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"errors"
	"fmt"
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
)

// maxWaiting bounds the windows that wait for downstream. Past it event records
// are refused until there is room.
const maxWaiting = 10_000

// windowProcessor lets event records pass, and adds window records.
//
// One lock guards the engine; it is taken per batch, never per event. Windows
// that have ended wait in order, and leave from one goroutine (see emit.go), which
// also saves the state (see checkpoint.go).
type windowProcessor struct {
	id        component.ID
	config    *Config
	next      consumer.Logs
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	batches   sync.Pool // of *batch

	mutex   sync.Mutex
	engine  *window.Engine
	waiting []wsevent.Window
	saved   int // how many of waiting are in a checkpoint

	savedAt atomic.Int64 // unix ms of the latest checkpoint, for own telemetry
	emitter emitter
	stop    context.CancelFunc
	done    sync.WaitGroup
}

func newProcessor(set processor.Settings, config *Config, next consumer.Logs) (*windowProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &windowProcessor{
		id:        set.ID,
		config:    config,
		next:      next,
		logger:    set.Logger,
		telemetry: telemetry,
		batches:   sync.Pool{New: func() any { return new(batch) }},
		engine:    window.New(config.window()),
		emitter:   emitter{leftover: plog.NewLogs()},
	}, nil
}

// Capabilities says that records pass untouched.
func (p *windowProcessor) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start restores the state, and begins to look at the wall clock.
func (p *windowProcessor) Start(ctx context.Context, host component.Host) error {
	if err := p.observe(); err != nil {
		return err
	}
	if p.config.Storage != nil {
		if err := p.open(ctx, host, time.Now()); err != nil {
			return err
		}
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx)) // it ends with Start
	p.done.Go(func() { p.run(ctx) })
	return nil
}

// Shutdown saves the state; without a storage it tells the windows that are still
// open, as incomplete.
func (p *windowProcessor) Shutdown(ctx context.Context) error {
	defer p.telemetry.Shutdown()
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.done.Wait()
	if p.emitter.keeper != nil {
		saved := p.save(ctx, time.Now(), true)
		_ = p.emit(ctx, time.Now()) // what downstream does not take is on the storage
		return errors.Join(saved, p.emitter.keeper.client.Close(ctx))
	}
	p.mutex.Lock()
	p.engine.Flush()
	p.drain()
	p.mutex.Unlock()
	if err := p.emit(ctx, time.Now()); err != nil {
		return fmt.Errorf("%d windows that ended are lost, downstream does not take them: %w", p.waitingWindows(), err)
	}
	return nil
}

// ConsumeLogs counts a batch once it is accepted downstream, so that one that
// is refused and offered again is counted once.
func (p *windowProcessor) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if waiting := p.waitingWindows(); waiting >= maxWaiting {
		return fmt.Errorf("%d windows wait for downstream to take them; events are refused until it does", waiting)
	}
	b := p.batches.Get().(*batch)
	defer p.batches.Put(b)
	b.read(logs, pcommon.NewTimestampFromTime(time.Now()))
	if p.config.PassThrough {
		if err := p.next.ConsumeLogs(ctx, logs); err != nil {
			return err
		}
	}
	p.count(b, time.Now().UnixMilli())
	return nil
}

func (p *windowProcessor) count(b *batch, now int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	begin := 0
	for _, g := range b.groups {
		p.engine.Observe(g.tags, b.events[begin:g.end], now)
		begin = g.end
	}
	p.drain()
}

// drain moves windows that have ended to those that wait.
func (p *windowProcessor) drain() {
	p.waiting = append(p.waiting, p.engine.Drain()...)
}

func (p *windowProcessor) waitingWindows() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.waiting)
}
