// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wssessionsconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector/internal/metadata"
)

// Config has no keys: sampling, segments and what is said of users are decided where the
// records are made, and names, kinds and units are a contract.
type Config struct{}

// NewFactory returns the factory of the ws_sessions connector.
func NewFactory() connector.Factory {
	return connector.NewFactory(
		metadata.Type,
		createDefaultConfig,
		connector.WithLogsToTraces(createLogsToTraces, metadata.LogsToTracesStability),
		connector.WithLogsToMetrics(createLogsToMetrics, metadata.LogsToMetricsStability),
	)
}

func createDefaultConfig() component.Config { return &Config{} }

func createLogsToTraces(_ context.Context, set connector.Settings, _ component.Config, next consumer.Traces) (connector.Logs, error) {
	base, err := newBase(set)
	if err != nil {
		return nil, err
	}
	return &tracesConnector{base: base, next: next}, nil
}

func createLogsToMetrics(_ context.Context, set connector.Settings, _ component.Config, next consumer.Metrics) (connector.Logs, error) {
	base, err := newBase(set)
	if err != nil {
		return nil, err
	}
	return &metricsConnector{base: base, next: next}, nil
}
