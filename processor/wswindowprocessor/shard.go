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
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// At most minWaiting windows of a shard wait for downstream, or waitingPerSeries of all
// series where that is more. Beyond it event records are refused.
const (
	minWaiting       = 10_000
	waitingPerSeries = 8
)

// shard is an engine with its lock, state and goroutine.
//
// One lock guards the engine; it is taken per batch, never per event. Closed
// windows wait in order, and one goroutine emits them (see emit.go) and saves the state
// (see checkpoint.go).
type shard struct {
	config    *Config
	next      consumer.Logs
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	storage   *component.ID // nil where the state is kept elsewhere, or nowhere
	partition *partitionClient

	mutex    sync.Mutex
	engine   *window.Engine
	waiting  []wsevent.Window
	saved    int // how many of waiting are in a checkpoint
	sessions waitingSessions
	position int64 // in the partition: all before it is counted
	clock    int64 // unix ms: how far the time of the partition has advanced

	deliveries map[string]wsevent.Delivery // by source
	saturated  bool                        // a sum has, and it is logged

	savedAt atomic.Int64 // unix ms of the latest checkpoint, for own telemetry
	emitter emitter
	stop    context.CancelFunc
	done    sync.WaitGroup
}

func (p *windowProcessor) newShard(config window.Config, logger *zap.Logger) *shard {
	return &shard{
		config:    p.config,
		next:      p.next,
		logger:    logger,
		telemetry: p.telemetry,
		storage:   p.config.Storage,
		engine:    window.New(config),
		emitter:   emitter{leftover: plog.NewLogs()},

		deliveries: map[string]wsevent.Delivery{},
	}
}

// start starts the goroutine.
func (s *shard) start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.done.Go(func() { s.run(ctx) })
}

// end saves the state; without a storage it emits the windows that are still open. The
// goroutine must have ended.
func (s *shard) end(ctx context.Context) error {
	if s.emitter.store != nil {
		saved := s.save(ctx, time.Now(), true)
		_ = s.emit(ctx, time.Now()) // what downstream refuses is saved
		return errors.Join(saved, s.emitter.store.Close(ctx))
	}
	s.mutex.Lock()
	s.engine.Flush()
	s.drain()
	s.mutex.Unlock()
	if err := s.emit(ctx, time.Now()); err != nil {
		return fmt.Errorf("%d closed windows are lost, downstream refuses them: %w", s.waitingWindows(), err)
	}
	return nil
}

// checkCapacity returns an error while too many windows or sessions wait for downstream.
func (s *shard) checkCapacity() error {
	if waiting := s.waitingSessions(); waiting >= maxWaitingSessions {
		return fmt.Errorf("%d session records wait for downstream; events are refused until it accepts them", waiting)
	}
	if waiting := s.waitingWindows(); waiting >= max(minWaiting, waitingPerSeries*s.config.MaxSeries) {
		return fmt.Errorf("%d windows wait for downstream; events are refused until it accepts them", waiting)
	}
	return nil
}

// count counts a batch that arrived at a time, unix ms. delivery is that of its receiver,
// where it runs in this process.
func (s *shard) count(b *batch, delivery wsevent.Delivery, at int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	source := ""
	if delivery != nil {
		source = delivery.Source()
		s.deliveries[source] = delivery
	}
	s.engine.ObserveFrom(source, b.groups, at)
	s.drain()
}

// countUpTo counts a batch of the partition that ends before a position, unless it is
// counted already: it may be retried because another pipeline refused it.
func (s *shard) countUpTo(position int64, b *batch, at int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if position <= s.position {
		return
	}
	s.engine.Observe(b.groups, at)
	s.drain()
	s.position, s.clock = position, max(s.clock, at)
}

// drain moves closed windows to those that wait.
func (s *shard) drain() {
	s.drainSessions()
	ended := s.engine.Drain()
	s.waiting = append(s.waiting, ended...)
	for i := range ended {
		if s.saturated {
			return
		}
		if ended[i].Totals.Saturated() {
			s.saturated = true
			s.logger.Error("A sum has reached its maximum and no longer grows; "+
				"check the sizes in the events of this series. Further sums that reach it are not logged",
				zap.String("sum", wsevent.TotalPayloadBytes), zap.Any("series", ended[i].Tags))
		}
	}
}

func (s *shard) waitingWindows() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.waiting)
}

func (s *shard) stats() window.Stats {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.engine.Stats()
}

func (s *shard) unconfirmed() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.engine.Unconfirmed()
}

func (s *shard) lags(now int64, n int) []window.Lag {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.engine.Lags(now, n)
}
