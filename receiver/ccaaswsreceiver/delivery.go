// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
)

// dataFormat is what the Collector's own telemetry calls what we receive.
const dataFormat = "json"

// Waits between offers of a batch that downstream refuses.
const (
	firstOfferAgain = 50 * time.Millisecond
	lastOfferAgain  = 5 * time.Second
)

// delivery takes batches downstream, and stays with a batch until downstream has
// taken it or says that it never will.
type delivery struct {
	next      consumer.Logs
	report    *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	refusal   refusal
}

// deliver returns when the batch is somewhere: downstream, or among the dropped.
func (d *delivery) deliver(ctx context.Context, b *batch) {
	d.count(ctx, &b.read)
	if b.size == 0 { // all of it was told before
		return
	}
	waits := backoff.ExponentialBackOff{
		InitialInterval: firstOfferAgain, MaxInterval: lastOfferAgain,
		Multiplier: backoff.DefaultMultiplier, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	d.refusal.begin(time.Now())
	delivered := false
	defer func() { d.refusal.end(time.Now(), delivered, d.logger) }()
	for {
		err := d.offer(ctx, b)
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
		if !pause(ctx, waits.NextBackOff()) {
			d.drop(ctx, b, "shutdown", err)
			return
		}
	}
}

// offer hands a batch over once. Where downstream took a part of it, the batch
// becomes the rest.
func (d *delivery) offer(ctx context.Context, b *batch) error {
	ctx = d.report.StartLogsOp(ctx)
	size := b.size
	err := d.next.ConsumeLogs(ctx, b.logs)
	d.report.EndLogsOp(ctx, dataFormat, size, err)
	if rest := (consumererror.Logs{}); errors.As(err, &rest) {
		b.logs = rest.Data()
		b.size = b.logs.LogRecordCount()
	}
	return err
}

func (d *delivery) drop(ctx context.Context, b *batch, reason string, err error) {
	d.telemetry.CcaasWsDroppedRecords.Add(ctx, int64(b.size),
		metric.WithAttributes(attribute.String("reason", reason)))
	d.logger.Error("Records that were read are lost, downstream does not take them",
		zap.String("reason", reason), zap.Int("records", b.size), zap.Error(err))
}

// count tells what was read into a batch.
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

// pause waits, unless ctx ends.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
