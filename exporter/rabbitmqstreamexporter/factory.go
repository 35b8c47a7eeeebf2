// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/rabbitmqstreamexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
)

// NewFactory makes the factory of the rabbitmq_stream exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	retry.MaxElapsedTime = 0 // an outage of the broker loses nothing that the queue has room for
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1 // keeps the order of a stream
	return &Config{
		ClientConfig: rabbitmq.NewDefaultClientConfig(),
		Stream:       "ccaas_events", Partitions: 12, Create: true, Retention: rabbitmq.RetentionConfig{MaxAge: 24 * time.Hour},
		Compression: compressionZstd,
		RetryConfig: retry, QueueConfig: configoptional.Some(queue),
	}
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return newExporter(ctx, set, cfg.(*Config))
}
