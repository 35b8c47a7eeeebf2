// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadata"
)

// NewFactory returns the factory of the alert connector.
func NewFactory() connector.Factory {
	shared := newRegistry()
	return connector.NewFactory(
		metadata.Type,
		createDefaultConfig,
		connector.WithMetricsToLogs(shared.createMetricsToLogs, metadata.MetricsToLogsStability),
		connector.WithMetricsToMetrics(shared.createMetricsToMetrics, metadata.MetricsToMetricsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		RepeatInterval: 4 * time.Hour,
		MaxSeries:      10_000,
		Heartbeat:      configoptional.Default(HeartbeatConfig{Interval: time.Minute, Name: "Watchdog"}),
	}
}

func (r *registry) createMetricsToLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Metrics, error) {
	return r.getOrCreate(set, cfg.(*Config),
		func(e *evaluator) bool { return e.alerts.next != nil },
		func(e *evaluator) { e.alerts.next = next })
}

func (r *registry) createMetricsToMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Metrics, error) {
	return r.getOrCreate(set, cfg.(*Config),
		func(e *evaluator) bool { return e.points.next != nil },
		func(e *evaluator) { e.points.next = next })
}
