// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/metadata"
)

// NewFactory returns the factory of the alertmanager exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr = confignet.AddrConfig{Endpoint: "localhost:9093", Transport: confignet.TransportTypeTCP}
	server.MaxRequestBodySize = 4 << 20

	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = time.Second
	retry.MaxElapsedTime = 0 // an alert is lost with its record

	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1 // in order
	queue.Sizer = exporterhelper.RequestSizerTypeItems
	queue.QueueSize = 10_000

	return &Config{
		ReloadInterval: 10 * time.Second,
		Retention:      120 * time.Hour,
		ExpireAfter:    24 * time.Hour,
		API:            configoptional.Some(APIConfig{ServerConfig: server}),
		Limits:         LimitsConfig{Alerts: 20_000, Groups: 2_000, Silences: 1_000},
		RetryConfig:    retry,
		// Without a queue the sender keeps its records until the alerts are on disk.
		QueueConfig: configoptional.Default(queue),
	}
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return newExporter(ctx, set, cfg.(*Config))
}
