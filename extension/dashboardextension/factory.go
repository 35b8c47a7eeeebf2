// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
)

// NewFactory makes the factory of the dashboard extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "localhost:3080"
	server.ReadHeaderTimeout = 10 * time.Second
	server.ReadTimeout = 30 * time.Second
	server.WriteTimeout = time.Minute // an answer may take query::timeout
	return &Config{
		ServerConfig: server,
		Store: configoptional.Default(StoreConfig{
			Retention:        90 * 24 * time.Hour,
			OutOfOrderWindow: 24 * time.Hour,
			MaxSeries:        400_000,
			MinFreeBytes:     128 << 20,
		}),
		Events: configoptional.Default(EventsConfig{
			Retention:    24 * time.Hour,
			MaxBytes:     10 << 30,
			MinFreeBytes: 512 << 20,
		}),
		Prometheus:   configoptional.Default(confighttp.NewDefaultClientConfig()),
		Alertmanager: configoptional.Default(confighttp.NewDefaultClientConfig()),
		Query: QueryConfig{
			Timeout:       30 * time.Second,
			MaxSamples:    5_000_000,
			MaxConcurrent: 4,
			MaxRange:      366 * 24 * time.Hour,
			CacheBytes:    32 << 20,
		},
		Window: WindowConfig{Size: 10 * time.Second, Overlap: time.Second, Offset: 2 * time.Second},
	}
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newDashboard(set, cfg.(*Config))
}
