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

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// webhookExporter delivers records. The exporter that it embeds is exporterhelper's:
// it queues, and calls push with what is next, again and again until push is content.
//
// A record leaves in one of two ways: a receiver took it, or it is kept as a dead
// letter. Where exporterhelper would drop one, it goes the second way.
type webhookExporter struct {
	exporter.Logs // exporterhelper's

	config    *Config
	set       exporter.Settings
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	target    *url.URL
	signers   []*webhooks.Webhook
	format    payload.Format
	userAgent string
	success   *regexp.Regexp // of the body of a 2xx response; nil: any

	client    *http.Client
	transport http.RoundTripper // instead of the client's, in tests

	letters *letters
	waiting *waiting
	status  *status
	refusal refusal
	gone    atomic.Bool // the receiver answered 410
	closing atomic.Bool // Shutdown has begun
	absent  atomic.Bool // it has, and the receiver is not to be had
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (_ exporter.Logs, err error) {
	e := &webhookExporter{
		config:    config,
		set:       set,
		logger:    set.Logger,
		waiting:   newWaiting(),
		status:    new(status),
		userAgent: fmt.Sprintf("%s/%s (%s/%s)", set.BuildInfo.Command, set.BuildInfo.Version, runtime.GOOS, runtime.GOARCH),
	}
	if e.target, err = config.target(); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if e.signers, err = config.signers(); err != nil {
		return nil, err
	}
	if e.format, err = config.format(); err != nil {
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
	e.letters = newLetters(config.DeadLetter, set.Logger, e.telemetry)
	e.Logs, err = exporterhelper.NewLogs(ctx, set, config, e.push,
		exporterhelper.WithStart(e.open),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}), // the client has one, for each POST
		exporterhelper.WithRetry(e.retry()),
		exporterhelper.WithQueue(config.QueueConfig),
	)
	return e, err
}

// retry is how exporterhelper retries. With a queue it does so for ever, and push
// observes the limit, so that what is given up becomes a dead letter. Without one,
// whoever sent the records is told, and still has them.
func (e *webhookExporter) retry() configretry.BackOffConfig {
	retry := e.config.RetryConfig
	if e.queued() {
		retry.MaxElapsedTime = 0
	}
	return retry
}

// open makes the client, before exporterhelper opens the queue.
func (e *webhookExporter) open(ctx context.Context, host component.Host) (err error) {
	if e.client, err = e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.set.TelemetrySettings); err != nil {
		return err
	}
	if e.transport != nil {
		e.client.Transport = e.transport
	}
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if err = e.letters.open(); err != nil {
		return err
	}
	e.status.host = host
	if len(e.signers) == 0 && e.config.Format == formatNative {
		e.logger.Warn("Nothing is signed, since there is no secret: a receiver cannot know that alerts are ours")
	}
	return e.restoreOrder(ctx, host)
}

// ConsumeLogs takes records for delivery. What the queue has no room for becomes a
// dead letter: whoever sent it could only lose it, or stop the others.
func (e *webhookExporter) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	err := e.Logs.ConsumeLogs(ctx, logs)
	if !errors.Is(err, exporterhelper.ErrQueueIsFull) {
		return err
	}
	for _, m := range messagesOf(logs) {
		e.letters.keep(ctx, m, failure{reason: reasonQueueFull, err: err})
	}
	return nil
}

// Shutdown ends what Start began. What a queue in memory could not deliver in the
// one attempt that it has left becomes a dead letter; one in storage keeps it.
func (e *webhookExporter) Shutdown(ctx context.Context) error {
	e.closing.Store(true)
	err := e.Logs.Shutdown(ctx)
	if e.queueInMemory() {
		for _, w := range e.waiting.all() {
			e.letters.keep(ctx, w.message, failure{reason: reasonShutdown, status: w.last.status, err: w.last.err})
		}
	}
	if e.client != nil {
		e.client.CloseIdleConnections()
	}
	err = errors.Join(err, e.letters.close())
	e.telemetry.Shutdown()
	return err
}

func (e *webhookExporter) queued() bool { return e.config.QueueConfig.HasValue() }

func (e *webhookExporter) queueInMemory() bool {
	return e.queued() && e.config.QueueConfig.Get().StorageID == nil
}
