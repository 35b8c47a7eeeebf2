// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector/internal/metadata"
)

// Config has no keys: the names, kinds and units of the metrics are a contract
// that dashboards rest on.
type Config struct{}

// NewFactory makes the factory of the ws_metrics connector.
func NewFactory() connector.Factory {
	return connector.NewFactory(
		metadata.Type,
		createDefaultConfig,
		connector.WithLogsToMetrics(createLogsToMetrics, metadata.LogsToMetricsStability),
	)
}

func createDefaultConfig() component.Config { return &Config{} }

func createLogsToMetrics(_ context.Context, set connector.Settings, _ component.Config, next consumer.Metrics) (connector.Logs, error) {
	return newConnector(set, next)
}
