// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package timescaledbexporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter/internal/rows"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/backend"
)

// timescaledbExporter writes metrics into one database. Its embedded exporter is exporterhelper's, which queues and
// retries, and calls push for each attempt.
type timescaledbExporter struct {
	exporter.Metrics

	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	status    backend.Status

	database *database
	stop     context.CancelFunc // ends what is not part of an attempt
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Metrics, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &timescaledbExporter{config: config, logger: set.Logger, telemetry: telemetry, stop: func() {}}
	e.Metrics, err = exporterhelper.NewMetrics(ctx, set, config, e.push,
		exporterhelper.WithStart(e.open),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(config.TimeoutConfig),
		exporterhelper.WithRetry(config.RetryConfig),
		exporterhelper.WithQueue(config.QueueConfig),
	)
	return e, err
}

// open makes the pool, which connects when it is used: the collector starts while the database is down.
func (e *timescaledbExporter) open(ctx context.Context, host component.Host) error {
	config, err := e.config.pool(ctx)
	if err != nil {
		return err
	}
	if e.config.plainText() {
		e.logger.Warn("sslmode lets the password and all data reach another host in plain text, or a server that is not verified; remove it or write verify-full",
			zap.String("host", config.ConnConfig.Host))
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	lifetime, stop := context.WithCancel(context.Background())
	e.status.Host, e.stop = host, stop
	e.database = newDatabase(lifetime, pool, e.config, e.logger) //nolint:contextcheck // Start's context ends with Start
	return nil
}

// Shutdown writes what a queue in memory still holds, in one attempt each, and closes the connections.
func (e *timescaledbExporter) Shutdown(ctx context.Context) error {
	e.stop()
	err := e.Metrics.Shutdown(ctx)
	if e.database != nil {
		e.database.close()
	}
	e.telemetry.Shutdown()
	return err
}

const maxFuture = time.Hour // bounds the partitions that a wrong clock creates

func (e *timescaledbExporter) push(ctx context.Context, metrics pmetric.Metrics) error {
	now := time.Now()
	within := rows.Range{Newest: now.Add(maxFuture).UnixMilli()}
	if e.config.Retention > 0 {
		within.Oldest = now.Add(-e.config.Retention).UnixMilli()
	}
	batch := rows.From(metrics, within)
	if err := e.database.write(ctx, batch); err != nil {
		err = e.explain(err)
		e.status.Report(err)
		return err
	}
	e.status.Report(nil)
	e.count(ctx, batch)
	return nil
}

// explain makes errors of the data permanent. All others, also those that an administrator has to correct, are
// retried: the rows are good.
func (e *timescaledbExporter) explain(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	err = fmt.Errorf("%w (%s)", err, hint(refused.Code))
	if class := refused.Code[:min(2, len(refused.Code))]; class == "22" || class == "23" { // data exception, constraint violation
		return consumererror.NewPermanent(err)
	}
	return err
}

func hint(code string) string {
	switch {
	case code == "42P01":
		return "the tables are not there: set create_schema: true, or run what otelcol-ccaas timescaledb --print-schema prints"
	case code == "42501":
		return "the user of endpoint lacks a privilege; it needs CREATE on the schema for create_schema: true, INSERT, SELECT and UPDATE otherwise"
	case code == "25006":
		return "the server is a standby; use a URL with all hosts and target_session_attrs=read-write"
	case code[:2] == "28":
		return "check the user in endpoint, and password"
	}
	return "code " + code
}

func (e *timescaledbExporter) count(ctx context.Context, batch rows.Rows) {
	for table, n := range map[string]int{"ws_metrics": len(batch.Points), "ws_metrics_extra": len(batch.Extra), "ws_histograms": len(batch.Histograms)} {
		if n > 0 {
			e.telemetry.TimescaledbRows.Add(ctx, int64(n), metric.WithAttributes(attribute.String("table", table)))
		}
	}
	for reason, n := range batch.Dropped {
		e.telemetry.TimescaledbDroppedPoints.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", string(reason))))
	}
}
