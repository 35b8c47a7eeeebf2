// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
)

// Backoff of a batch that downstream refuses.
const (
	minRetryInterval = 50 * time.Millisecond
	maxRetryInterval = 5 * time.Second
)

// deliver blocks until downstream accepts a batch, or refuses it permanently. The error is
// that the partition is revoked.
func (e *Engine) deliver(ctx context.Context, logger *zap.Logger, logs plog.Logs) error {
	waits := backoff.ExponentialBackOff{
		InitialInterval: minRetryInterval, MaxInterval: maxRetryInterval,
		Multiplier: backoff.DefaultMultiplier, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	for refused := false; ; refused = true {
		err := e.consume(ctx, logs)
		switch {
		case err == nil && refused:
			logger.Info("Downstream accepts events again")
			return nil
		case err == nil:
			return nil
		case consumererror.IsPermanent(err):
			e.drop(ctx, logger, logs, err)
			return nil
		case !refused && ctx.Err() == nil:
			logger.Warn("Downstream refuses events; reading of the partition is paused until it accepts them", zap.Error(err))
		}
		if !pause.For(ctx, waits.NextBackOff()) {
			return context.Cause(ctx)
		}
	}
}

// consume sends a batch once. On an error the records are still ours.
func (e *Engine) consume(ctx context.Context, logs plog.Logs) error {
	ctx = e.Report.StartLogsOp(ctx)
	count := logs.LogRecordCount()
	err := e.Next.ConsumeLogs(ctx, logs)
	e.Report.EndLogsOp(ctx, e.Encoding, count, err)
	return err
}

// drop counts a permanently refused batch.
func (e *Engine) drop(ctx context.Context, logger *zap.Logger, logs plog.Logs, err error) {
	e.Telemetry.Refused.Add(ctx, int64(logs.ResourceLogs().Len()), metric.WithAttributes(attribute.String("reason", "permanent")))
	logger.Error("Downstream refused records permanently; they are dropped", zap.Int("records", logs.LogRecordCount()), zap.Error(err))
}
