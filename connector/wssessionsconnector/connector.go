// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wssessionsconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// base is what both connectors share. It is stateless and safe for concurrent use.
type base struct {
	component.StartFunc
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
}

func newBase(set connector.Settings) (base, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	return base{logger: set.Logger, telemetry: telemetry}, err
}

// Capabilities reports that records are only read.
func (base) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

// Shutdown ends own telemetry; there is nothing to flush.
func (b base) Shutdown(context.Context) error {
	b.telemetry.Shutdown()
	return nil
}

// bad logs and counts a record that cannot be decoded, which is skipped.
func (b base) bad(ctx context.Context, resource pcommon.Map, err error) {
	b.telemetry.WsSessionsBadRecords.Add(ctx, 1)
	b.logger.Error("Record not decoded; it has no trace and no metrics. Is the sender of another version?",
		zap.Any("resource", resource.AsRaw()), zap.Error(err))
}

// tracesConnector converts session records to traces.
type tracesConnector struct {
	base
	next consumer.Traces
}

// ConsumeLogs sends the traces of the sampled sessions among logs.
func (c *tracesConnector) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	sessions, unsampled := c.sessions(ctx, logs)
	if len(sessions) > 0 {
		if err := c.next.ConsumeTraces(ctx, traces(sessions)); err != nil {
			return err
		}
	}
	c.count(ctx, len(sessions), true)
	c.count(ctx, unsampled, false)
	return nil
}

func (c *tracesConnector) count(ctx context.Context, n int, sampled bool) {
	if n > 0 {
		c.telemetry.WsSessionsRecords.Add(ctx, int64(n), metric.WithAttributes(attribute.Bool("sampled", sampled)))
	}
}

// sessions returns the sampled sessions, each with its platform, and the number of others.
func (c *tracesConnector) sessions(ctx context.Context, logs plog.Logs) (sampled []wsevent.Session, unsampled int) {
	for _, resource := range logs.ResourceLogs().All() {
		attributes := resource.Resource().Attributes()
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if !wslog.IsSession(record) {
					continue
				}
				session, err := wslog.DecodeSession(record, attributes)
				switch {
				case err != nil:
					c.bad(ctx, attributes, err)
				case session.Sampled:
					sampled = append(sampled, session)
				default:
					unsampled++
				}
			}
		}
	}
	return sampled, unsampled
}

// metricsConnector converts the totals in window records to metrics.
type metricsConnector struct {
	base
	next consumer.Metrics
}

// ConsumeLogs sends the metrics of the window records among logs that have sessions.
func (c *metricsConnector) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	windows := c.windows(ctx, logs)
	if len(windows) == 0 {
		return nil
	}
	if err := c.next.ConsumeMetrics(ctx, metrics(windows)); err != nil {
		return err
	}
	c.telemetry.WsSessionsWindows.Add(ctx, int64(len(windows)))
	return nil
}

func (c *metricsConnector) windows(ctx context.Context, logs plog.Logs) (windows []sessionWindow) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if !wslog.IsWindow(record) {
					continue
				}
				window, err := wslog.DecodeRecord(record)
				var sessions wslog.Sessions
				known := false
				if err == nil {
					sessions, known, err = window.Sessions()
				}
				switch {
				case err != nil:
					c.bad(ctx, resource.Resource().Attributes(), err)
				case known:
					windows = append(windows, sessionWindow{tags: window.Tags, end: window.End, Sessions: sessions})
				}
			}
		}
	}
	return windows
}
