// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// Waits between offers of a batch that downstream refuses.
const (
	firstOfferAgain = 50 * time.Millisecond
	lastOfferAgain  = 5 * time.Second
)

// deliver stays with a batch until downstream has taken it, or refuses it for good.
// The error says that the partition is gone.
func (r *kafkaReceiver) deliver(ctx context.Context, logger *zap.Logger, logs plog.Logs) error {
	waits := backoff.ExponentialBackOff{
		InitialInterval: firstOfferAgain, MaxInterval: lastOfferAgain,
		Multiplier: backoff.DefaultMultiplier, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	for refused := false; ; refused = true {
		err := r.offer(ctx, logs)
		switch {
		case err == nil && refused:
			logger.Info("Downstream takes events again")
			return nil
		case err == nil:
			return nil
		case consumererror.IsPermanent(err):
			r.drop(ctx, logger, logs, err)
			return nil
		case !refused && ctx.Err() == nil:
			logger.Warn("Downstream refuses events; nothing more is read of the partition until it takes them", zap.Error(err))
		}
		if !pause(ctx, waits.NextBackOff()) {
			return context.Cause(ctx)
		}
	}
}

// offer hands a batch over once. The records stay ours until they are taken.
func (r *kafkaReceiver) offer(ctx context.Context, logs plog.Logs) error {
	ctx = r.report.StartLogsOp(ctx)
	count := logs.LogRecordCount()
	err := r.next.ConsumeLogs(ctx, logs)
	r.report.EndLogsOp(ctx, r.config.Encoding, count, err)
	return err
}

// drop counts what downstream refused for good. The next batch goes on behind it.
func (r *kafkaReceiver) drop(ctx context.Context, logger *zap.Logger, logs plog.Logs, err error) {
	r.telemetry.CcaasKafkaRefusedMessages.Add(ctx, int64(logs.ResourceLogs().Len()), metric.WithAttributes(attribute.String("reason", "permanent")))
	logger.Error("Downstream refuses records for good; they are left out", zap.Int("records", logs.LogRecordCount()), zap.Error(err))
}
