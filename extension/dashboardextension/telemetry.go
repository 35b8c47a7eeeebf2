// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/store"
)

// observe registers what is read when own telemetry is collected.
func (d *dashboard) observe() error {
	gauge := func(read func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read())
			return nil
		}
	}
	t := d.telemetry
	err := t.RegisterDashboardCacheBytesCallback(gauge(func() int64 { return int64(d.queries.size()) }))
	if d.store == nil {
		return err
	}
	return errors.Join(
		err,
		t.RegisterDashboardSeriesCallback(gauge(func() int64 { return int64(d.store.Series()) })),
		t.RegisterDashboardSeriesLimitCallback(gauge(func() int64 { return int64(d.config.Store.Get().MaxSeries) })),
		t.RegisterDashboardStoreSizeCallback(gauge(d.store.Size)),
	)
}

func (d *dashboard) rejected(ctx context.Context, reason store.Reason, samples int) {
	d.telemetry.DashboardRefusedSamples.Add(ctx, int64(samples),
		metric.WithAttributes(attribute.String("reason", string(reason))))
}

func (d *dashboard) rejectedExemplars(ctx context.Context, exemplars int) {
	d.telemetry.DashboardRefusedExemplars.Add(ctx, int64(exemplars))
}

// writes is the number of accepted writes; it is not known of an external Prometheus.
func (d *dashboard) writes() int64 {
	if d.store == nil {
		return 0
	}
	return d.store.Writes()
}
