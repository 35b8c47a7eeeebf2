// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/embedded"
)

// watch applies the configuration file whenever its content, or that of its templates,
// changes. A configuration that is refused leaves the last one in force, and is tried again
// when it changes.
func (e *alertmanagerExporter) watch(ctx context.Context, source embedded.Source, current string) {
	ticker := time.NewTicker(e.config.ReloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if sum, err := source.Sum(); err != nil || sum != current {
				if err != nil {
					sum = err.Error() // reported once
				}
				if sum != current {
					current = sum
					e.reload(ctx, source)
				}
			}
		}
	}
}

func (e *alertmanagerExporter) reload(ctx context.Context, source embedded.Source) {
	outcome := "applied"
	err := e.engine.Apply(source) //nolint:contextcheck // what it starts lives longer than the watch
	if ctx.Err() != nil {
		return // the exporter may have ended meanwhile
	}
	if err != nil {
		outcome = "refused"
		err = fmt.Errorf("config_file: %s: %w", source.Path, err)
		e.logger.Error("Configuration refused; the last one stays in force", zap.Error(err))
	} else {
		e.logger.Info("Configuration applied", zap.String("path", source.Path))
		e.status.clear(receiverSource, time.Now()) // they may be gone, or lead elsewhere
	}
	e.telemetry.AlertmanagerConfigReloads.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	e.status.set("configuration", err, true, time.Now())
}
