// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// metricsConnector is stateless and safe for concurrent use.
type metricsConnector struct {
	component.StartFunc
	next      consumer.Metrics
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
}

func newConnector(set connector.Settings, next consumer.Metrics) (*metricsConnector, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &metricsConnector{next: next, logger: set.Logger, telemetry: telemetry}, nil
}

// Capabilities reports that records are only read.
func (c *metricsConnector) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Shutdown ends own telemetry; there is nothing to flush.
func (c *metricsConnector) Shutdown(context.Context) error {
	c.telemetry.Shutdown()
	return nil
}

// ConsumeLogs sends the metrics of the window records among logs. A window record that
// cannot be decoded is logged and counted, and skipped.
func (c *metricsConnector) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	windows := c.windows(ctx, logs)
	if len(windows) == 0 {
		return nil
	}
	if err := c.next.ConsumeMetrics(ctx, build(windows)); err != nil {
		return err
	}
	c.telemetry.WsMetricsWindows.Add(ctx, int64(len(windows)))
	return nil
}

func (c *metricsConnector) windows(ctx context.Context, logs plog.Logs) (windows []wslog.Record) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if !wslog.IsWindow(record) {
					continue
				}
				window, err := wslog.DecodeRecord(record)
				if err != nil {
					c.telemetry.WsMetricsBadRecords.Add(ctx, 1)
					c.logger.Error("Window record not decoded; it has no metrics. Is the sender of another version?",
						zap.Any("resource", resource.Resource().Attributes().AsRaw()), zap.Error(err))
					continue
				}
				windows = append(windows, window)
			}
		}
	}
	return windows
}
