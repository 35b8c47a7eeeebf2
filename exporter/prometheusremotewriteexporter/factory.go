// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package prometheusremotewriteexporter

import (
	"context"
	"errors"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/xexporter"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/prometheusremotewriteexporter/internal/metadata"
)

// NewFactory makes the factory of the prometheus_remote_write exporter.
func NewFactory() exporter.Factory {
	return xexporter.NewFactory(metadata.Type, createDefaultConfig,
		xexporter.WithMetrics(createMetrics, metadata.MetricsStability),
		xexporter.WithDeprecatedTypeAlias(metadata.DeprecatedType),
	)
}

func createDefaultConfig() component.Config {
	remoteWrite := contrib.NewFactory().CreateDefaultConfig().(*contrib.Config)
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1
	return &Config{RemoteWrite: *remoteWrite, QueueConfig: configoptional.Default(queue)}
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	config := cfg.(*Config)
	factory := contrib.NewFactory()
	inner, err := factory.CreateMetrics(ctx, attemptSettings(set), config.attempt())
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, cfg, attempter{inner}.push,
		exporterhelper.WithStart(inner.Start),
		exporterhelper.WithShutdown(inner.Shutdown),
		exporterhelper.WithTimeout(config.RemoteWrite.TimeoutSettings),
		exporterhelper.WithRetry(config.RemoteWrite.BackOffConfig),
		exporterhelper.WithQueue(config.queue()),
	)
}

// attempter makes single attempts with the Collector's exporter.
type attempter struct{ inner exporter.Metrics }

// push makes one attempt. The Collector's exporter marks a timeout as permanent, and returns no error when the time is over
// between two requests of a batch; both are retried here. A sample that is sent twice is stored once.
func (a attempter) push(ctx context.Context, metrics pmetric.Metrics) error {
	err := a.inner.ConsumeMetrics(ctx, metrics)
	switch {
	case err == nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return errors.New(err.Error()) // without the mark
	default:
		return err
	}
}

// attemptSettings are the settings of the Collector's exporter that makes one attempt. An attempt that failed is not
// data that is lost, so what exporterhelper reports of it is left out: the outer exporter reports the result.
func attemptSettings(set exporter.Settings) exporter.Settings {
	set.MeterProvider = attemptMeters{set.MeterProvider}
	set.TracerProvider = tracenoop.NewTracerProvider()
	set.Logger = set.Logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return attemptLog{core} }))
	return set
}

// helperScope is the instrumentation scope of exporterhelper.
const helperScope = "go.opentelemetry.io/collector/exporter/exporterhelper"

// attemptMeters is a meter provider without the instruments of exporterhelper.
type attemptMeters struct{ metric.MeterProvider }

func (m attemptMeters) Meter(name string, options ...metric.MeterOption) metric.Meter {
	if name == helperScope {
		return metricnoop.NewMeterProvider().Meter(name, options...)
	}
	return m.MeterProvider.Meter(name, options...)
}

// attemptLog is a log without exporterhelper's line on an attempt that failed.
type attemptLog struct{ zapcore.Core }

func (l attemptLog) With(fields []zapcore.Field) zapcore.Core { return attemptLog{l.Core.With(fields)} }

func (l attemptLog) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if len(entry.Message) >= len(rejecting) && entry.Message[:len(rejecting)] == rejecting {
		return checked
	}
	return l.Core.Check(entry, checked)
}

// rejecting is how exporterhelper's line on an attempt without a queue begins.
const rejecting = "Exporting failed. Rejecting data."
