// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// dataFormat is the data format in the Collector's own telemetry.
const dataFormat = "json"

const (
	// initialRetry and maxRetry bound the wait between attempts to deliver a batch.
	initialRetry = 50 * time.Millisecond
	maxRetry     = 5 * time.Second
	// refusalError is how long a batch may be undelivered before that is an error of the
	// component's status.
	refusalError = 15 * time.Second
	// refusalReminder is the minimum time between two log lines of one refusal, and of the
	// first lines of two.
	refusalReminder = time.Minute
)

// delivery passes batches to the next consumer. It retries a batch until it is accepted,
// or permanently refused.
type delivery struct {
	next      consumer.Logs
	report    *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	refusal   refusal
}

// deliver blocks until the batch is accepted or permanently dropped.
func (d *delivery) deliver(ctx context.Context, b *batch) {
	d.count(ctx, &b.read)
	if b.size == 0 { // all of it were duplicates
		return
	}
	waits := backoff.ExponentialBackOff{
		InitialInterval: initialRetry, MaxInterval: maxRetry,
		Multiplier: backoff.DefaultMultiplier, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	d.refusal.begin(time.Now())
	delivered := false
	defer func() { d.refusal.end(time.Now(), delivered, d.logger) }()
	for {
		err := d.consume(ctx, b)
		switch {
		case err == nil:
			d.telemetry.CcaasWsDeliveryLatency.Record(ctx, time.Since(b.arrival).Seconds())
			delivered = true
			return
		case consumererror.IsPermanent(err):
			d.drop(ctx, b, "permanent", err)
			return
		case ctx.Err() == nil:
			d.refusal.refused(time.Now(), err, d.logger)
		}
		if !pause.For(ctx, waits.NextBackOff()) {
			d.drop(ctx, b, "shutdown", err)
			return
		}
	}
}

// consume passes a batch to the next consumer once. Where a part of it was accepted, the
// batch becomes the rest.
func (d *delivery) consume(ctx context.Context, b *batch) error {
	ctx = d.report.StartLogsOp(ctx)
	size := b.logs.LogRecordCount()
	err := d.next.ConsumeLogs(ctx, b.logs)
	d.report.EndLogsOp(ctx, dataFormat, size, err)
	if rest := (consumererror.Logs{}); errors.As(err, &rest) {
		b.logs = rest.Data()
		b.size = int(wslog.CountEvents(b.logs))
	}
	return err
}

func (d *delivery) drop(ctx context.Context, b *batch, reason string, err error) {
	d.telemetry.CcaasWsDroppedRecords.Add(ctx, int64(b.size),
		metric.WithAttributes(attribute.String("reason", reason)))
	d.logger.Error("Records are lost: downstream did not accept them",
		zap.String("reason", reason), zap.Int("records", b.size), zap.Error(err))
}

// count adds what was read to the metrics.
func (d *delivery) count(ctx context.Context, read *tally) {
	d.telemetry.CcaasWsFrames.Add(ctx, read.frames)
	d.telemetry.CcaasWsIo.Add(ctx, read.bytes)
	d.telemetry.CcaasWsEvents.Add(ctx, read.events)
	if read.duplicates > 0 {
		d.telemetry.CcaasWsDuplicates.Add(ctx, read.duplicates)
	}
	if read.ignored > 0 {
		d.telemetry.CcaasWsIgnored.Add(ctx, read.ignored)
	}
	for reason, n := range read.violations {
		d.telemetry.CcaasWsViolations.Add(ctx, n, metric.WithAttributes(attribute.String("reason", reason)))
	}
	for field, n := range read.fieldErrors {
		d.telemetry.CcaasWsFieldErrors.Add(ctx, n, metric.WithAttributes(attribute.String("field", field)))
	}
}

// refusal is the state of a batch that downstream does not accept. It is safe for
// concurrent use.
type refusal struct {
	mutex  sync.Mutex
	since  time.Time // of the first attempt; zero: there is no batch
	err    error     // of the last attempt; nil: the first has not returned
	logged time.Time // last log line of this batch
	warned time.Time // last log line of a refusal that began
	shown  bool      // there is a log line of this batch
}

// begin records the first attempt.
func (r *refusal) begin(now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.since, r.err, r.logged, r.shown = now, nil, now, false
}

// refused records a refusal. The first of a batch is logged, unless that of another batch
// was logged within refusalReminder.
func (r *refusal) refused(now time.Time, err error, logger *zap.Logger) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.err == nil && (r.warned.IsZero() || now.Sub(r.warned) >= refusalReminder) {
		r.warned, r.logged, r.shown = now, now, true
		logger.Warn("Downstream refuses events; reading is suspended until it accepts them", zap.Error(err))
	}
	r.err = err
}

// remind logs at refusalReminder that a batch is still not accepted.
func (r *refusal) remind(now time.Time, logger *zap.Logger) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.since.IsZero() || now.Sub(r.logged) < refusalReminder {
		return
	}
	r.logged, r.shown = now, true
	fields := []zap.Field{zap.Time("since", r.since), zap.Duration("for", now.Sub(r.since))}
	if r.err != nil {
		fields = append(fields, zap.Error(r.err))
	}
	logger.Warn("Downstream still refuses events; reading is suspended", fields...)
}

// end records that the batch is delivered, or dropped.
func (r *refusal) end(now time.Time, delivered bool, logger *zap.Logger) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.shown && delivered {
		logger.Info("Downstream takes events again", zap.Time("since", r.since), zap.Duration("for", now.Sub(r.since)))
	}
	r.since, r.err = time.Time{}, nil
}

// trouble returns the error of the status; nil: none.
func (r *refusal) trouble(now time.Time) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case r.since.IsZero() || now.Sub(r.since) < refusalError:
		return nil
	case r.err == nil:
		return fmt.Errorf("not reading: downstream has not answered since %s", r.since.UTC().Format(time.RFC3339))
	default:
		return fmt.Errorf("not reading: downstream refuses events since %s, last error: %w", r.since.UTC().Format(time.RFC3339), r.err)
	}
}
