// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/embedded"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// alertmanagerExporter is the component around the embedded Alertmanager.
type alertmanagerExporter struct {
	config    *Config
	set       exporter.Settings
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	status    *status
	webhooks  map[string]*webhook

	engine  *embedded.Engine
	server  *http.Server
	cancel  context.CancelFunc
	watched chan struct{} // closed when the watch has ended
	running sync.WaitGroup

	drilling sync.Mutex // one at a time
}

// reloadEnd is how long a shutdown waits for a reload: one may block on a file of a receiver,
// such as a pipe in place of a certificate.
const reloadEnd = time.Second

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Logs, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &alertmanagerExporter{
		config: config, set: set, logger: set.Logger, telemetry: telemetry,
		status: newStatus(), webhooks: map[string]*webhook{},
	}
	for name, one := range config.Webhooks {
		if e.webhooks[name], err = newWebhook(name, one, set.TelemetrySettings, telemetry); err != nil {
			return nil, err
		}
	}
	return exporterhelper.NewLogs(ctx, set, config, e.push,
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}),
		exporterhelper.WithRetry(e.retry()),
		exporterhelper.WithQueue(config.QueueConfig),
	)
}

// retry is disabled without a queue: the sender still has its records then.
func (e *alertmanagerExporter) retry() configretry.BackOffConfig {
	retry := e.config.RetryConfig
	retry.Enabled = retry.Enabled && e.config.QueueConfig.HasValue()
	return retry
}

// upstreamLogger is for Alertmanager. It has no stack traces: what a client does wrong is an error there.
func upstreamLogger(logger *zap.Logger) *slog.Logger {
	return slog.New(zapslog.NewHandler(logger.Core(), zapslog.AddStacktraceAt(slog.LevelError+1)))
}

func (e *alertmanagerExporter) start(ctx context.Context, host component.Host) error {
	if err := e.open(ctx, host); err != nil {
		return errors.Join(err, e.shutdown(ctx))
	}
	return nil
}

func (e *alertmanagerExporter) open(ctx context.Context, host component.Host) error {
	e.status.host = host
	notifiers := map[string]embedded.Notifier{}
	for name, one := range e.webhooks {
		if err := one.open(ctx, host, e.set.TelemetrySettings); err != nil {
			return err
		}
		notifiers[name] = one
	}
	external, err := e.config.externalURL()
	if err != nil {
		return fmt.Errorf("external_url: %w", err)
	}
	registry := prometheus.NewRegistry()
	e.engine, err = embedded.Open(embedded.Options{ //nolint:contextcheck // it lives longer than Start
		Directory: e.config.Directory, Retention: e.config.Retention, ExternalURL: external,
		MaxAlerts: e.config.Limits.Alerts, MaxGroups: e.config.Limits.Groups, MaxSilences: e.config.Limits.Silences,
		Webhooks: notifiers, OnNotify: e.notified, OnWrite: e.written, Registry: registry,
		Logger: upstreamLogger(e.logger),
	})
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	if err = (&bridge{registry: registry}).register(e.telemetry); err != nil {
		return err
	}
	source, err := e.config.source()
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	sum, err := source.Sum() // before it is read, so that no change in between is missed
	if err == nil {
		err = e.engine.Apply(source) //nolint:contextcheck // it lives longer than Start
	}
	if err != nil {
		if !e.engine.ApplyLast(source) { //nolint:contextcheck // it lives longer than Start
			return fmt.Errorf("config_file, config: %w", err)
		}
		e.logger.Error("Configuration refused; the last one of this process stays in force", zap.String("path", source.Path), zap.Error(err))
		sum = "" // the watch reports it, and applies the file once it is valid
	}
	if source.Path != "" && e.config.ReloadInterval > 0 {
		var watching context.Context
		watching, e.cancel = context.WithCancel(context.WithoutCancel(ctx)) // Start's context ends with Start
		e.watched = make(chan struct{})
		go func() {
			defer close(e.watched)
			e.watch(watching, source, sum)
		}()
	}
	return e.serve(ctx, host)
}

func (e *alertmanagerExporter) shutdown(ctx context.Context) error {
	var errs []error
	if e.server != nil {
		errs = append(errs, e.server.Shutdown(ctx))
	}
	if e.cancel != nil {
		e.cancel()
		select {
		case <-e.watched:
		case <-time.After(reloadEnd):
			e.logger.Warn("A reload of the configuration does not end; it is left alone", zap.String("path", e.config.ConfigFile))
		}
	}
	e.running.Wait()
	if e.engine != nil {
		errs = append(errs, e.engine.Close())
	}
	for _, one := range e.webhooks {
		errs = append(errs, one.close())
	}
	e.telemetry.Shutdown()
	return errors.Join(errs...)
}

// notified is called with the result of each attempt to notify. What a receiver refuses shows at once.
func (e *alertmanagerExporter) notified(receiver, integration string, retry bool, err error) {
	if err != nil {
		err = fmt.Errorf("receiver %s: %s: %w", receiver, integration, err)
	}
	e.status.set(receiverSource+receiver+"/"+integration, err, !retry, time.Now())
}

// written is called with the result of each write of silences and the notification log.
func (e *alertmanagerExporter) written(err error) {
	if err != nil {
		err = fmt.Errorf("silences or notification log are not on disk; the write is repeated every 10s: %w", err)
		e.logger.Error("State is not on disk", zap.Error(err))
	}
	e.status.set("directory", err, true, time.Now())
}

// push returns when the alerts are on disk. A record that is no alert is dropped, since it
// would be refused again.
func (e *alertmanagerExporter) push(ctx context.Context, logs plog.Logs) error {
	alerts, invalid := alertsOf(logs, time.Now(), e.config.ExpireAfter)
	for i := range alerts {
		alerts[i].Link(promalert.TraceURL(e.config.TraceURL))
	}
	rejected, err := e.engine.Put(ctx, alerts)
	if err != nil {
		e.status.set("state", err, false, time.Now())
		return err
	}
	e.status.set("state", nil, false, time.Now())
	e.dropped(ctx, "invalid", append(invalid, rejected.Invalid...))
	e.dropped(ctx, "limit", rejected.Limit)
	if len(alerts) > 0 {
		e.status.set("limit", errors.Join(rejected.Limit...), true, time.Now())
	}
	return nil
}

func (e *alertmanagerExporter) dropped(ctx context.Context, reason string, errs []error) {
	if len(errs) == 0 {
		return
	}
	e.telemetry.AlertmanagerDroppedRecords.Add(ctx, int64(len(errs)), metric.WithAttributes(attribute.String("reason", reason)))
	e.logger.Error("Records dropped", zap.String("reason", reason), zap.Int("records", len(errs)), zap.NamedError("first", errs[0]))
}

// alertsOf maps records to alerts, in order.
func alertsOf(logs plog.Logs, now time.Time, expireAfter time.Duration) (alerts []promalert.Alert, invalid []error) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				id := ""
				if value, ok := record.Attributes().Get(wsevent.AlertID); ok {
					id = value.AsString()
				}
				alert, err := promalert.New(id, wslog.AlertBody(record.Body()), now, expireAfter)
				if err != nil {
					invalid = append(invalid, fmt.Errorf("record %s: %w", record.EventName(), err))
					continue
				}
				alerts = append(alerts, alert)
			}
		}
	}
	return alerts, invalid
}
