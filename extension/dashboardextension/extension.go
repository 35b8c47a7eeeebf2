// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/store"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// dashboard serves the page and the API, from the store it has or from an outside
// Prometheus.
type dashboard struct {
	config    *Config
	set       extension.Settings
	telemetry *metadata.TelemetryBuilder
	host      component.Host

	receivers receivers
	health    *health
	store     *store.Store // nil with an outside Prometheus
	events    eventStore   // nil unless events are stored
	queries   *queryHandler
	alerts    *alertmanagerAPI // nil without an Alertmanager
	server    *http.Server
	stop      context.CancelFunc
	done      sync.WaitGroup
}

func newDashboard(set extension.Settings, config *Config) (*dashboard, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	d := &dashboard{config: config, set: set, telemetry: telemetry, stop: func() {}}
	d.health = newHealth(config, d.report)
	return d, nil
}

// Start opens the store and begins to listen. It comes before the pipelines start, so
// that they find it ready, and ends after they have.
func (d *dashboard) Start(ctx context.Context, host component.Host) error {
	d.host = host
	if len(d.config.deprecated) > 0 {
		d.set.Logger.Warn("Keys are deprecated and will be removed: ws_window_size_seconds and ws_window_step_seconds of the windows replace them. Remove the keys",
			zap.Strings("keys", d.config.deprecated))
	}
	source, err := d.openSource(ctx)
	if err != nil {
		return err
	}
	d.queries = newQueryHandler(d.config, source, d.writes, d.telemetry)
	if err := d.openAlertmanager(ctx); err != nil {
		return errors.Join(err, d.Shutdown(ctx))
	}
	if err := d.openEvents(); err != nil {
		return errors.Join(err, d.Shutdown(ctx))
	}
	if err := errors.Join(d.observe(), d.observeEvents()); err != nil {
		return errors.Join(err, d.Shutdown(ctx))
	}
	server, err := d.config.ServerConfig.ToServer(ctx, host.GetExtensions(), d.set.TelemetrySettings, d.routes())
	if err != nil {
		return errors.Join(err, d.Shutdown(ctx))
	}
	listener, err := d.config.ServerConfig.ToListener(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("endpoint: %w", err), d.Shutdown(ctx))
	}
	newConnections(maxConnections).serve(server)
	d.server = server
	d.done.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	if d.store != nil {
		watch, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends with Start's caller
		d.stop = stop
		d.done.Go(func() { d.health.watch(watch) })
	}
	d.set.Logger.Info("The dashboard is open", zap.String("address", listener.Addr().String()))
	return nil
}

// openSource is where answers come from.
func (d *dashboard) openSource(ctx context.Context) (http.Handler, error) {
	if d.config.Prometheus.HasValue() {
		return newProxy(ctx, "Prometheus", d.config.Prometheus.Get(), d.host, d.set.TelemetrySettings)
	}
	c := d.config.Store.Get()
	opened, err := store.Open(ctx, store.Options{
		Directory:         c.Directory,
		Retention:         c.Retention,
		MaxBytes:          c.MaxBytes,
		OutOfOrderWindow:  c.OutOfOrderWindow,
		MaxSeries:         c.MaxSeries,
		MinFreeBytes:      c.MinFreeBytes,
		QueryTimeout:      d.config.Query.Timeout,
		QueryMaxSamples:   d.config.Query.MaxSamples,
		Version:           d.set.BuildInfo.Version,
		Logger:            d.slog(),
		Accepted:          d.stored,
		Rejected:          d.rejected,
		RejectedExemplars: d.rejectedExemplars,
		Status:            d.health.setStore,
	})
	if err != nil {
		return nil, fmt.Errorf("store::directory: %w", err)
	}
	d.store = opened
	return opened.Query(), nil
}

// openAlertmanager is where the page's alerts and silences come from.
func (d *dashboard) openAlertmanager(ctx context.Context) error {
	if !d.config.Alertmanager.HasValue() {
		return nil
	}
	outside, err := newProxy(ctx, "Alertmanager", d.config.Alertmanager.Get(), d.host, d.set.TelemetrySettings)
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	d.alerts = &alertmanagerAPI{
		proxy: outside, config: d.config, timeout: d.config.Query.Timeout, logger: d.set.Logger,
		receiving: d.queries.receiving, limiter: requestbody.NewLimiter(maxAlertReads, maxWaiting), send: d.queries.send,
	}
	return nil
}

// stored counts samples that were stored.
func (d *dashboard) stored(ctx context.Context, n int) {
	if n > 0 {
		d.health.stored()
	}
	d.telemetry.DashboardSamples.Add(ctx, int64(n))
}

// report reports trouble, or with nil its end, to the collector's health.
func (d *dashboard) report(trouble error) {
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	if trouble != nil {
		event = componentstatus.NewRecoverableErrorEvent(trouble)
	}
	componentstatus.ReportStatus(d.host, event)
}

// shutdownTimeout is how long requests may take to end once the collector stops.
const shutdownTimeout = 3 * time.Second

// Shutdown lets requests end, and closes the store. A client that sends or reads slowly, and
// a query that cannot be interrupted, do not hold it up.
func (d *dashboard) Shutdown(ctx context.Context) error {
	var errs []error
	d.stop()
	if d.queries != nil {
		d.queries.close() // nobody waits for answers any more
	}
	if d.server != nil {
		ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
		defer cancel()
		if err := d.server.Shutdown(ctx); err != nil {
			d.set.Logger.Warn("Requests did not end in time; their connections are closed", zap.Error(err))
			errs = append(errs, d.server.Close())
		}
	}
	d.done.Wait()
	d.telemetry.Shutdown()
	if d.events != nil {
		errs = append(errs, d.events.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// slog returns the logger of the database. It forwards only warnings and errors, because the
// database logs its normal operation at info level.
func (d *dashboard) slog() *slog.Logger {
	core := d.set.Logger.Core()
	if quiet, err := zapcore.NewIncreaseLevelCore(core, zapcore.WarnLevel); err == nil {
		core = quiet
	}
	return slog.New(zapslog.NewHandler(core))
}
