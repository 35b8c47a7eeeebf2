// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/deadletter"
)

// deadLetters keeps records that were given up: in the file, and in the log where no file is
// configured or it is not writable.
type deadLetters struct {
	path      string
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	mutex sync.Mutex
	file  *deadletter.File // nil: none is configured
}

func newDeadLetters(config DeadLetterConfig, logger *zap.Logger, telemetry *metadata.TelemetryBuilder) *deadLetters {
	l := &deadLetters{path: config.Path, logger: logger, telemetry: telemetry}
	if config.Path != "" {
		l.file = deadletter.New(config.Path, int64(config.MaxMegabytes)<<20/2) // two files share it
	}
	return l
}

func (l *deadLetters) open() error {
	if l.file == nil {
		return nil
	}
	if err := l.file.Open(); err != nil {
		return fmt.Errorf("dead_letter::path: %w", err)
	}
	return nil
}

func (l *deadLetters) keep(ctx context.Context, m *message, f failure) {
	l.telemetry.WebhookDeadLetters.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", f.reason)))
	fields := []zap.Field{
		zap.String("webhook_id", m.ID), zap.String("alert_id", m.AlertID), zap.String("event", m.Event),
		zap.String("reason", f.reason), zap.Error(f.err),
	}
	if l.file == nil {
		l.logger.Error("Delivery failed; payload logged, since no dead-letter file is configured", append(fields, zap.ByteString("body", m.Content.Body))...)
		return
	}
	err := l.write(&deadletter.Letter{
		ID: m.ID, Time: time.Now(), Reason: f.reason, Status: f.status, Error: f.err.Error(), Body: m.Content.Body,
	})
	if err == nil {
		l.logger.Error("Delivery failed; record kept as a dead letter", append(fields, zap.String("path", l.path))...)
		return
	}
	l.telemetry.WebhookDeadLetterFailures.Add(ctx, 1)
	l.logger.Error("Delivery failed and the dead-letter file is not writable; payload logged instead",
		append(fields, zap.NamedError("dead_letter_error", err), zap.ByteString("body", m.Content.Body))...)
}

func (l *deadLetters) write(letter *deadletter.Letter) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.file.Keep(letter)
}

func (l *deadLetters) close() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
