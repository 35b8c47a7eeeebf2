// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/standardwebhooks"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
)

// webhookExporter delivers records. The exporter that it embeds is exporterhelper's: it
// queues, and calls push for each request and retries until it succeeds or fails permanently.
//
// A record is acknowledged by the receiver, superseded by a newer state of its episode that
// is, or kept as a dead letter. None is dropped.
type webhookExporter struct {
	exporter.Logs // exporterhelper's

	config    *Config
	set       exporter.Settings
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	endpoint  *url.URL
	signer    standardwebhooks.Signer
	format    payload.Format
	userAgent string
	success   *regexp.Regexp // of the body of a 2xx response; nil: any

	client    *http.Client
	transport http.RoundTripper // instead of the client's, in tests

	episodes    *episodes
	deadLetters *deadLetters
	retries     *retryTracker
	status      *statusReporter
	gone        atomic.Bool // the receiver responded 410
	closing     atomic.Bool // Shutdown has begun
	unavailable atomic.Bool // a request failed after that
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (_ exporter.Logs, err error) {
	e := &webhookExporter{
		config:    config,
		set:       set,
		logger:    set.Logger,
		retries:   newRetryTracker(),
		status:    new(statusReporter),
		userAgent: fmt.Sprintf("%s/%s (%s/%s)", set.BuildInfo.Command, set.BuildInfo.Version, runtime.GOOS, runtime.GOARCH),
	}
	if e.format, err = payload.New(config.payload()); err != nil {
		return nil, err
	}
	if e.endpoint, err = config.endpoint(e.format); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if e.signer, err = standardwebhooks.NewSigner(config.Secret, config.Secrets); err != nil {
		return nil, err
	}
	if e.telemetry, err = metadata.NewTelemetryBuilder(set.TelemetrySettings); err != nil {
		return nil, err
	}
	if config.SuccessBody != "" {
		if e.success, err = regexp.Compile(config.SuccessBody); err != nil {
			return nil, fmt.Errorf("success_body: %w", err)
		}
	}
	e.deadLetters = newDeadLetters(config.DeadLetter, set.Logger, e.telemetry)
	e.episodes = newEpisodes(e.telemetry)
	e.Logs, err = exporterhelper.NewLogs(ctx, set, config, e.push,
		exporterhelper.WithStart(e.open),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}), // the client has one, for each POST
		exporterhelper.WithRetry(e.retry()),
		exporterhelper.WithQueue(config.QueueConfig),
	)
	return e, err
}

// retry configures the retries of exporterhelper. With a queue they have no limit, and
// push observes max_elapsed_time, so that a record becomes a dead letter. Without one, the
// sender gets the error and still has the records.
func (e *webhookExporter) retry() configretry.BackOffConfig {
	retry := e.config.RetryConfig
	if e.queued() {
		retry.MaxElapsedTime = 0
	}
	return retry
}

// open makes the client and opens the storage, before exporterhelper opens the queue.
func (e *webhookExporter) open(ctx context.Context, host component.Host) (err error) {
	if e.client, err = e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.set.TelemetrySettings); err != nil {
		return err
	}
	if e.transport != nil {
		e.client.Transport = e.transport
	}
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if err = e.deadLetters.open(); err != nil {
		return err
	}
	e.status.host = host
	if len(e.signer) == 0 && e.config.Format == payload.FormatNative {
		e.logger.Warn("Requests are not signed, since no secret is configured; a receiver cannot verify who sent an alert")
	}
	return e.openEpisodes(ctx, host)
}

// openEpisodes opens the exporter's own storage client, beside that of the queue.
func (e *webhookExporter) openEpisodes(ctx context.Context, host component.Host) error {
	if !e.queued() || e.queueInMemory() {
		return nil
	}
	id := *e.config.QueueConfig.Get().StorageID
	client, err := state.Open(ctx, host, id, component.KindExporter, e.set.ID, "episodes")
	if err != nil {
		return fmt.Errorf("sending_queue::%w", err)
	}
	if err := e.episodes.restore(ctx, state.NewStore(client, id.String(), e.logger, nil)); err != nil {
		return fmt.Errorf("sending_queue::storage: %s: %w", id, err)
	}
	return nil
}

// ConsumeLogs queues records for delivery. Records that exceed the queue become dead letters:
// an error would make the sender drop them, or stop other exporters.
func (e *webhookExporter) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	err := e.Logs.ConsumeLogs(ctx, logs)
	if !errors.Is(err, exporterhelper.ErrQueueIsFull) {
		return err
	}
	for _, m := range messagesOf(logs) {
		e.deadLetters.keep(ctx, m, failure{reason: reasonQueueFull, err: err})
	}
	return nil
}

// Shutdown stops the exporter. Records that a queue in memory cannot deliver in its last
// attempt become dead letters; a queue in storage keeps them.
func (e *webhookExporter) Shutdown(ctx context.Context) error {
	e.closing.Store(true)
	err := e.Logs.Shutdown(ctx)
	if e.queueInMemory() {
		for _, r := range e.retries.all() {
			e.deadLetters.keep(ctx, r.message, failure{reason: reasonShutdown, status: r.last.status, err: r.last.err})
		}
	}
	if e.client != nil {
		e.client.CloseIdleConnections()
	}
	err = errors.Join(err, e.episodes.close(ctx), e.deadLetters.close())
	e.telemetry.Shutdown()
	return err
}

func (e *webhookExporter) queued() bool { return e.config.QueueConfig.HasValue() }

func (e *webhookExporter) queueInMemory() bool {
	return e.queued() && e.config.QueueConfig.Get().StorageID == nil
}
