// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package influxdbexporter

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

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter/internal/metadata"
)

// NewFactory makes the factory of the influxdb exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 5 * time.Second
	client.Compression = configcompression.TypeGzip
	retry := configretry.NewDefaultBackOffConfig()
	retry.MaxElapsedTime = 0 // an outage of the database loses nothing that the queue has room for
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1
	return &Config{ClientConfig: client, RetryConfig: retry, QueueConfig: configoptional.Some(queue)}
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	return newExporter(ctx, set, cfg.(*Config))
}
