// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fileexporter

import (
	"context"
	"fmt"
	"sync"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/fileexporter/internal/metadata"
)

// NewFactory makes the factory of the file exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithTraces(createTraces, metadata.TracesStability),
		exporter.WithMetrics(createMetrics, metadata.MetricsStability),
		exporter.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{File: *contrib.NewFactory().CreateDefaultConfig().(*contrib.Config)}
}

// claim reserves the files of a configuration with retention for one kind of pipeline:
// each has a writer of its own.
func (c *Config) claim(signal pipeline.Signal) error {
	if c.signal != (pipeline.Signal{}) && c.signal != signal {
		return fmt.Errorf("retention: %s and %s would write to the same file; give each an exporter and a path of its own", c.signal, signal)
	}
	c.signal = signal
	return nil
}

func createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	config := cfg.(*Config)
	config.warnOfOpenDirectory(set.Logger)
	if config.Retention == nil {
		return newTracesWriter(ctx, set, &config.File)
	}
	a, err := newArchive(set, config, pipeline.SignalTraces, func(ctx context.Context, inner component.Config) (writer[ptrace.Traces], error) {
		e, err := newTracesWriter(ctx, set, inner)
		if err != nil {
			return writer[ptrace.Traces]{}, err
		}
		return writer[ptrace.Traces]{e, e.ConsumeTraces}, nil
	})
	return tracesArchive{a}, err
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	config := cfg.(*Config)
	config.warnOfOpenDirectory(set.Logger)
	if config.Retention == nil {
		return newMetricsWriter(ctx, set, &config.File)
	}
	a, err := newArchive(set, config, pipeline.SignalMetrics, func(ctx context.Context, inner component.Config) (writer[pmetric.Metrics], error) {
		e, err := newMetricsWriter(ctx, set, inner)
		if err != nil {
			return writer[pmetric.Metrics]{}, err
		}
		return writer[pmetric.Metrics]{e, e.ConsumeMetrics}, nil
	})
	return metricsArchive{a}, err
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	config := cfg.(*Config)
	config.warnOfOpenDirectory(set.Logger)
	if config.Retention == nil {
		return newLogsWriter(ctx, set, &config.File)
	}
	a, err := newArchive(set, config, pipeline.SignalLogs, func(ctx context.Context, inner component.Config) (writer[plog.Logs], error) {
		e, err := newLogsWriter(ctx, set, inner)
		if err != nil {
			return writer[plog.Logs]{}, err
		}
		return writer[plog.Logs]{e, e.ConsumeLogs}, nil
	})
	return logsArchive{a}, err
}

// collectors guards the creation and the shutdown of the Collector's exporters: they
// register themselves in a map of the process without a lock, since the Collector does
// both from one goroutine. Files are replaced at any time.
var collectors sync.Mutex

type (
	tracesWriter  struct{ exporter.Traces }
	metricsWriter struct{ exporter.Metrics }
	logsWriter    struct{ exporter.Logs }
)

func newTracesWriter(ctx context.Context, set exporter.Settings, config component.Config) (exporter.Traces, error) {
	collectors.Lock()
	defer collectors.Unlock()
	e, err := contrib.NewFactory().CreateTraces(ctx, set, config)
	if err != nil {
		return nil, err
	}
	return tracesWriter{e}, nil
}

func newMetricsWriter(ctx context.Context, set exporter.Settings, config component.Config) (exporter.Metrics, error) {
	collectors.Lock()
	defer collectors.Unlock()
	e, err := contrib.NewFactory().CreateMetrics(ctx, set, config)
	if err != nil {
		return nil, err
	}
	return metricsWriter{e}, nil
}

func newLogsWriter(ctx context.Context, set exporter.Settings, config component.Config) (exporter.Logs, error) {
	collectors.Lock()
	defer collectors.Unlock()
	e, err := contrib.NewFactory().CreateLogs(ctx, set, config)
	if err != nil {
		return nil, err
	}
	return logsWriter{e}, nil
}

func (w tracesWriter) Shutdown(ctx context.Context) error  { return shutdown(ctx, w.Traces) }
func (w metricsWriter) Shutdown(ctx context.Context) error { return shutdown(ctx, w.Metrics) }
func (w logsWriter) Shutdown(ctx context.Context) error    { return shutdown(ctx, w.Logs) }

func shutdown(ctx context.Context, e component.Component) error {
	collectors.Lock()
	defer collectors.Unlock()
	return e.Shutdown(ctx)
}

type (
	tracesArchive  struct{ *archive[ptrace.Traces] }
	metricsArchive struct{ *archive[pmetric.Metrics] }
	logsArchive    struct{ *archive[plog.Logs] }
)

func (tracesArchive) Capabilities() consumer.Capabilities  { return consumer.Capabilities{} }
func (metricsArchive) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }
func (logsArchive) Capabilities() consumer.Capabilities    { return consumer.Capabilities{} }

func (a tracesArchive) ConsumeTraces(ctx context.Context, data ptrace.Traces) error {
	return a.consume(ctx, data)
}

func (a metricsArchive) ConsumeMetrics(ctx context.Context, data pmetric.Metrics) error {
	return a.consume(ctx, data)
}

func (a logsArchive) ConsumeLogs(ctx context.Context, data plog.Logs) error {
	return a.consume(ctx, data)
}
