// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package influxdbexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter/internal/lines"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// influxdbExporter posts lines. Its embedded exporter is exporterhelper's, which queues and retries, and calls push for
// each attempt.
type influxdbExporter struct {
	exporter.Metrics

	config    *Config
	set       exporter.Settings
	telemetry *metadata.TelemetryBuilder
	host      component.Host
	client    *http.Client
	url       string
	failing   atomic.Bool
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Metrics, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &influxdbExporter{config: config, set: set, telemetry: telemetry}
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

func (e *influxdbExporter) open(ctx context.Context, host component.Host) (err error) {
	e.host = host
	e.client, err = e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.set.TelemetrySettings)
	if err == nil { // a redirect would carry the credentials elsewhere
		e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return err
}

// Shutdown writes what a queue in memory still holds, in one attempt each.
func (e *influxdbExporter) Shutdown(ctx context.Context) error {
	err := e.Metrics.Shutdown(ctx)
	if e.client != nil {
		e.client.CloseIdleConnections()
	}
	e.telemetry.Shutdown()
	return err
}

func (e *influxdbExporter) push(ctx context.Context, metrics pmetric.Metrics) error {
	batch := lines.From(metrics)
	if len(batch.Text) > 0 {
		err := e.post(ctx, batch.Text)
		e.report(err)
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
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(text))
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if e.config.Token != "" {
		request.Header.Set("Authorization", "Token "+string(e.config.Token))
	} else if e.config.Username != "" {
		request.SetBasicAuth(e.config.Username, string(e.config.Password))
	}
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return refusal(response)
}

const longestBody = 1 << 10

// refusal is nil if the lines were written. Only what is wrong with the lines is permanent: credentials, a database
// that is not there and an endpoint that has moved are for an administrator to correct, and the lines are good.
func refusal(response *http.Response) error {
	result := httpstatus.Classify(response.StatusCode)
	if result == httpstatus.Delivered {
		_, err := io.Copy(io.Discard, io.LimitReader(response.Body, longestBody))
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, longestBody))
	text := strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD"))
	err = errors.Join(fmt.Errorf("InfluxDB responded with %s: %s", response.Status, text), err)
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return consumererror.NewPermanent(err)
	}
	if wait := httpstatus.RetryAfter(response.Header.Get("Retry-After"), time.Now()); wait > 0 {
		return exporterhelper.NewThrottleRetry(err, wait)
	}
	return err
}

// report makes a failing database visible in health_check.
func (e *influxdbExporter) report(err error) {
	if failed := err != nil; e.failing.Swap(failed) == failed {
		return
	}
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	if err != nil {
		event = componentstatus.NewRecoverableErrorEvent(err)
	}
	componentstatus.ReportStatus(e.host, event)
}
