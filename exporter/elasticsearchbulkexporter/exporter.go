// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package elasticsearchbulkexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/bulk"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// bulkExporter posts documents. Its embedded exporter is exporterhelper's, which queues and retries, and calls push for
// each attempt.
type bulkExporter struct {
	exporter.Logs

	config    *Config
	set       exporter.Settings
	telemetry *metadata.TelemetryBuilder
	host      component.Host
	client    *http.Client
	url       string
	failing   atomic.Bool
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Logs, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &bulkExporter{config: config, set: set, telemetry: telemetry}
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
	return e, err
}

func (e *bulkExporter) open(ctx context.Context, host component.Host) (err error) {
	e.host = host
	e.client, err = e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.set.TelemetrySettings)
	if err == nil { // a redirect would carry the credentials elsewhere
		e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return err
}

// Shutdown writes what a queue in memory still holds, in one attempt each.
func (e *bulkExporter) Shutdown(ctx context.Context) error {
	err := e.Logs.Shutdown(ctx)
	if e.client != nil {
		e.client.CloseIdleConnections()
	}
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
		e.report(err)
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

const (
	longestError    = 1 << 10
	longestResponse = 64 << 20
)

func (e *bulkExporter) post(ctx context.Context, body []byte) (bulk.Result, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return bulk.Result{}, consumererror.NewPermanent(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := e.client.Do(request)
	if err != nil {
		return bulk.Result{}, err
	}
	defer response.Body.Close()
	if httpstatus.Classify(response.StatusCode) != httpstatus.Delivered {
		return bulk.Result{}, refusal(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, longestResponse))
	if err != nil {
		return bulk.Result{}, err
	}
	return bulk.Read(text)
}

// refusal is permanent only where the request itself is wrong: credentials and an endpoint that has moved are for an
// administrator to correct, and the documents are good.
func refusal(response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, longestError))
	text := strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD"))
	err = errors.Join(fmt.Errorf("the cluster responded with %s: %s", response.Status, text), err)
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return consumererror.NewPermanent(err)
	}
	if wait := httpstatus.RetryAfter(response.Header.Get("Retry-After"), time.Now()); wait > 0 {
		return exporterhelper.NewThrottleRetry(err, wait)
	}
	return err
}

// report makes a failing cluster visible in health_check.
func (e *bulkExporter) report(err error) {
	if failed := err != nil; e.failing.Swap(failed) == failed {
		return
	}
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	if err != nil {
		event = componentstatus.NewRecoverableErrorEvent(err)
	}
	componentstatus.ReportStatus(e.host, event)
}
