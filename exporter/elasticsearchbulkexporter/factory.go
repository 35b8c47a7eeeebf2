// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package elasticsearchbulkexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/metadata"
)

// NewFactory makes the factory of the elasticsearch_bulk exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 5 * time.Second
	client.Compression = configcompression.TypeGzip
	retry := configretry.NewDefaultBackOffConfig()
	retry.MaxElapsedTime = 0 // an outage of the database loses nothing that the queue has room for
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1
	return &Config{
		ClientConfig: client, EventsIndex: "logs-ccaas.events-default", WindowsIndex: "logs-ccaas.windows-default",
		RetryConfig: retry, QueueConfig: configoptional.Some(queue),
	}
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return newExporter(ctx, set, cfg.(*Config))
}
