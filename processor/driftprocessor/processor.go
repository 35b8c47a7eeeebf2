// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
)

// driftProcessor measures the clocks of the streams that pass, and reports them in
// records of its own.
//
// One lock guards the streams; it is taken per batch, never per event. Once a second
// one goroutine updates the estimates (see watch.go), by which the next batches are
// flagged and corrected (see annotate.go). Another one queries the reference (see
// reference.go).
type driftProcessor struct {
	config    *Config
	next      consumer.Logs
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	ask       func(context.Context) (reading, error) // the reference

	mutex   sync.Mutex
	streams streams
	host    hostClock

	began time.Time // the zero of the measurement's time, which does not jump
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func newProcessor(set processor.Settings, config *Config, next consumer.Logs) (*driftProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &driftProcessor{
		config:    config,
		next:      next,
		logger:    set.Logger,
		telemetry: telemetry,
		ask:       ntpServer(config.Reference.NTP).ask,
		streams:   newStreams(config),
		host:      newHostClock(config),
		began:     time.Now(),
	}, nil
}

// Capabilities declares MutatesData only if times are corrected. Flagging, which is rare,
// changes a copy: with MutatesData the Collector copies every batch at each fan-out.
func (p *driftProcessor) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: p.config.Correct}
}

// Start starts the measurement.
func (p *driftProcessor) Start(ctx context.Context, host component.Host) error {
	if err := p.observe(); err != nil {
		return err
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx)) // the ctx of Start ends with Start
	p.done.Go(func() { p.watch(ctx) })
	if p.config.Reference.NTP != "" {
		p.done.Go(func() { p.queryReference(ctx, host) })
	}
	return nil
}

// Shutdown ends what Start started. There is nothing to flush: events are never held, and
// the skew was reported within the last interval.
func (p *driftProcessor) Shutdown(context.Context) error {
	if p.stop != nil {
		p.stop()
		p.done.Wait()
	}
	p.telemetry.Shutdown()
	return nil
}

// ConsumeLogs measures a batch, and passes it on.
func (p *driftProcessor) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	annotations, refused := p.measure(logs)
	if refused > 0 {
		p.telemetry.DriftRefusedEvents.Add(ctx, refused)
	}
	if len(annotations) > 0 {
		logs = p.annotate(ctx, logs, annotations)
	}
	return p.next.ConsumeLogs(ctx, logs)
}

// now is the time of the measurement. It does not jump when our own clock is set.
func (p *driftProcessor) now() time.Duration { return time.Since(p.began) }
