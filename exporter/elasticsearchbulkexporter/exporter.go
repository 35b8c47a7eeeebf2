// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package elasticsearchbulkexporter

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/bulk"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/backend"
)

// bulkExporter posts documents. Its embedded exporter is exporterhelper's, which queues and retries, and calls push for
// each attempt.
type bulkExporter struct {
	exporter.Logs

	config    *Config
	set       exporter.Settings
	telemetry *metadata.TelemetryBuilder
	status    backend.Status
	client    backend.Client
	url       string
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Logs, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &bulkExporter{config: config, set: set, telemetry: telemetry, client: backend.Client{
		Name: "the cluster", MaxResponse: 64 << 20,
		Permanent: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge},
	}}
	if e.url, err = url.JoinPath(config.ClientConfig.Endpoint, "_bulk"); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	e.url += "?filter_path=items.*.status,items.*.error"
	e.Logs, err = exporterhelper.NewLogs(ctx, set, config, e.push,
		exporterhelper.WithStart(e.open),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}), // the client has one
		exporterhelper.WithRetry(config.RetryConfig),
		exporterhelper.WithQueue(config.QueueConfig),
	)
	if err == nil && config.EventsIndex == "" {
		e.Logs = windowsOnly{e.Logs}
	}
	return e, err
}

func (e *bulkExporter) open(ctx context.Context, host component.Host) error {
	e.status.Host = host
	return e.client.Open(ctx, &e.config.ClientConfig, host, e.set.TelemetrySettings)
}

// Shutdown writes what a queue in memory still holds, in one attempt each.
func (e *bulkExporter) Shutdown(ctx context.Context) error {
	err := e.Logs.Shutdown(ctx)
	e.client.Close()
	e.telemetry.Shutdown()
	return err
}

func (e *bulkExporter) push(ctx context.Context, logs plog.Logs) error {
	body, documents, invalid := bulk.Request(logs, bulk.Indices{Events: e.config.EventsIndex, Windows: e.config.WindowsIndex})
	var result bulk.Result
	if documents > 0 {
		var err error
		result, err = e.post(ctx, body)
		if err == nil && result.Retry > 0 { // all of them: those that are there change nothing
			err = fmt.Errorf("%d of %d documents were not written: %s", result.Retry, documents, result.Reason)
		}
		rejected := err
		if err == nil && result.Rejected > 0 {
			rejected = fmt.Errorf("the index rejected %d of %d documents, which are lost: %s", result.Rejected, documents, result.Reason)
		}
		e.status.Report(rejected)
		if err != nil {
			return err
		}
	}
	if lost := result.Rejected + invalid; lost > 0 {
		e.telemetry.ElasticsearchBulkRejectedDocuments.Add(ctx, int64(lost))
		e.set.Logger.Error("The index rejected documents, which are lost", zap.Int("documents", lost), zap.String("reason", result.Reason))
	}
	e.telemetry.ElasticsearchBulkDuplicateDocuments.Add(ctx, int64(result.Duplicates))
	return nil
}

func (e *bulkExporter) post(ctx context.Context, body []byte) (bulk.Result, error) {
	text, err := e.client.Post(ctx, e.url, http.Header{"Content-Type": {"application/x-ndjson"}}, body)
	if err != nil {
		return bulk.Result{}, err
	}
	return bulk.Read(text)
}

// windowsOnly is an exporter whose queue holds windows only: raw events are left out before it.
type windowsOnly struct{ exporter.Logs }

// ConsumeLogs queues the windows among the records.
func (e windowsOnly) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	windows := bulk.Windows(logs)
	if windows.ResourceLogs().Len() == 0 {
		return nil
	}
	return e.Logs.ConsumeLogs(ctx, windows)
}
