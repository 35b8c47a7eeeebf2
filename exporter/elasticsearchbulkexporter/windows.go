// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package elasticsearchbulkexporter

import (
	"context"

	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/bulk"
)

// windowsOnly is an exporter whose queue holds windows only: raw events are left out before it.
type windowsOnly struct{ exporter.Logs }

// ConsumeLogs queues the windows among the records.
func (e windowsOnly) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	windows := bulk.Windows(logs)
	if windows.ResourceLogs().Len() == 0 {
		return nil
	}
	return e.Logs.ConsumeLogs(ctx, windows)
}
