// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// NewFactory returns the factory of the webhook exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 15 * time.Second

	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = time.Second
	retry.MaxElapsedTime = 0 // an alert is retried without end

	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1 // requests are sent in order
	queue.Sizer = exporterhelper.RequestSizerTypeItems
	queue.QueueSize = 10_000

	return &Config{
		ClientConfig: client,
		Format:       payload.FormatNative,
		Alertmanager: AlertmanagerConfig{ExpireAfter: 24 * time.Hour},
		Template:     TemplateConfig{ContentType: payload.JSON},
		Concurrency:  8,
		AuthRetry:    10 * time.Minute,
		DeadLetter:   DeadLetterConfig{MaxMegabytes: 20},
		RetryConfig:  retry,
		QueueConfig:  configoptional.Some(queue),
	}
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return newExporter(ctx, set, cfg.(*Config))
}
