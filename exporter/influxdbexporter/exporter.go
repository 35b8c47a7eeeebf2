// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package influxdbexporter

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter/internal/lines"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/backend"
)

// influxdbExporter posts lines. Its embedded exporter is exporterhelper's, which queues and retries, and calls push for
// each attempt.
type influxdbExporter struct {
	exporter.Metrics

	config    *Config
	set       exporter.Settings
	telemetry *metadata.TelemetryBuilder
	status    backend.Status
	client    backend.Client
	url       string
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Metrics, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &influxdbExporter{config: config, set: set, telemetry: telemetry, client: backend.Client{
		Name: "InfluxDB", MaxResponse: 1 << 10,
		Permanent: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity},
	}}
	if e.url, err = config.writeURL(); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	e.Metrics, err = exporterhelper.NewMetrics(ctx, set, config, e.push,
		exporterhelper.WithStart(e.open),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}), // the client has one
		exporterhelper.WithRetry(config.RetryConfig),
		exporterhelper.WithQueue(config.QueueConfig),
	)
	return e, err
}

func (e *influxdbExporter) open(ctx context.Context, host component.Host) error {
	e.status.Host = host
	return e.client.Open(ctx, &e.config.ClientConfig, host, e.set.TelemetrySettings)
}

// Shutdown writes what a queue in memory still holds, in one attempt each.
func (e *influxdbExporter) Shutdown(ctx context.Context) error {
	err := e.Metrics.Shutdown(ctx)
	e.client.Close()
	e.telemetry.Shutdown()
	return err
}

func (e *influxdbExporter) push(ctx context.Context, metrics pmetric.Metrics) error {
	batch := lines.From(metrics)
	if len(batch.Text) > 0 {
		err := e.post(ctx, batch.Text)
		e.status.Report(err)
		if err != nil {
			return err
		}
	}
	for reason, n := range batch.Dropped {
		e.telemetry.InfluxdbDroppedPoints.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", string(reason))))
	}
	return nil
}

func (e *influxdbExporter) post(ctx context.Context, text []byte) error {
	request := http.Request{Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}}
	if e.config.Token != "" {
		request.Header.Set("Authorization", "Token "+string(e.config.Token))
	} else if e.config.Username != "" {
		request.SetBasicAuth(e.config.Username, string(e.config.Password))
	}
	answer, err := e.client.Post(ctx, e.url, request.Header, text)
	if err == nil && len(answer) > 0 { // InfluxDB's is empty: this is a proxy's, or a login page
		err = fmt.Errorf("%s: the response to a write has a body and is none of InfluxDB; check endpoint: %q", e.client.Name, answer[:min(len(answer), 100)])
	}
	return err
}
