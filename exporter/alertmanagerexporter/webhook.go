// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/embedded"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/deadletter"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/standardwebhooks"
)

// webhook posts notifications, signed as Standard Webhooks requires. A notification that the
// receiver refuses becomes a dead letter and counts as delivered, since the same one would
// be refused again.
type webhook struct {
	name      string
	config    WebhookConfig
	host      string // of the endpoint, whose path may be a secret
	signer    standardwebhooks.Signer
	client    *http.Client
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	mutex   sync.Mutex
	letters *deadletter.File // nil: dead letters are logged
}

var _ embedded.Notifier = (*webhook)(nil)

func newWebhook(name string, config WebhookConfig, set component.TelemetrySettings, telemetry *metadata.TelemetryBuilder) (*webhook, error) {
	signer, err := config.signer()
	if err != nil {
		return nil, fmt.Errorf("webhooks::%s::%w", name, err)
	}
	address, err := url.Parse(config.ClientConfig.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("webhooks::%s::endpoint: not a URL", name)
	}
	w := &webhook{name: name, config: config, host: address.Host, signer: signer, logger: set.Logger, telemetry: telemetry}
	if config.DeadLetter.Path != "" {
		w.letters = deadletter.New(config.DeadLetter.Path, int64(config.DeadLetter.MaxMegabytes)<<20/2) // two files share it
	}
	return w, nil
}

func (w *webhook) open(ctx context.Context, host component.Host, set component.TelemetrySettings) (err error) {
	if w.client, err = w.config.ClientConfig.ToClient(ctx, host.GetExtensions(), set); err != nil {
		return fmt.Errorf("webhooks::%s: %w", w.name, err)
	}
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if w.letters != nil {
		if err = w.letters.Open(); err != nil {
			return fmt.Errorf("webhooks::%s::dead_letter::path: %w", w.name, err)
		}
	}
	return nil
}

func (w *webhook) close() error {
	if w.client != nil {
		w.client.CloseIdleConnections()
	}
	if w.letters == nil {
		return nil
	}
	return w.letters.Close()
}

// Notify implements embedded.Notifier.
func (w *webhook) Notify(ctx context.Context, n *embedded.Notification) (retry bool, err error) {
	status, err := w.post(ctx, n, time.Now())
	switch {
	case err == nil:
		return false, nil
	case status == 0, status == http.StatusUnauthorized, status == http.StatusForbidden, httpstatus.Classify(status) == httpstatus.Retry:
		return true, err
	default:
		w.keep(ctx, n, status, err)
		return false, fmt.Errorf("%w: %w", embedded.ErrRefused, err)
	}
}

func (w *webhook) post(ctx context.Context, n *embedded.Notification, now time.Time) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.ClientConfig.Endpoint, bytes.NewReader(n.Body))
	if err != nil {
		return 0, w.failed(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if err = w.signer.Sign(request.Header, n.ID, now, n.Body); err != nil {
		return 0, w.failed(err)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return 0, w.failed(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
	if httpstatus.Classify(response.StatusCode) != httpstatus.Delivered {
		return response.StatusCode, w.failed(fmt.Errorf("%s: %q", response.Status, text))
	}
	return response.StatusCode, nil
}

// failed names the host and not the complete URL.
func (w *webhook) failed(err error) error {
	if inURL, ok := errors.AsType[*url.Error](err); ok {
		err = inURL.Err
	}
	return fmt.Errorf("webhook %s: POST to %s: %w", w.name, w.host, err)
}

// keep writes a dead letter.
func (w *webhook) keep(ctx context.Context, n *embedded.Notification, status int, err error) {
	w.telemetry.AlertmanagerDeadLetters.Add(ctx, 1, metric.WithAttributes(attribute.String("receiver_name", w.name)))
	fields := []zap.Field{zap.String("receiver", w.name), zap.String("webhook_id", n.ID), zap.Int("alerts", n.Alerts), zap.Error(err)}
	if w.letters != nil {
		w.mutex.Lock()
		failure := w.letters.Keep(&deadletter.Letter{ID: n.ID, Time: time.Now(), Reason: "refused", Status: status, Error: err.Error(), Body: n.Body})
		w.mutex.Unlock()
		if failure == nil {
			w.logger.Error("Notification refused and kept as a dead letter", append(fields, zap.String("path", w.config.DeadLetter.Path))...)
			return
		}
		fields = append(fields, zap.NamedError("dead_letter_error", failure))
	}
	w.logger.Error("Notification refused; its payload is logged", append(fields, zap.ByteString("payload", n.Body))...)
}
