// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// count tells own telemetry of a request.
func (e *webhookExporter) count(ctx context.Context, a answer, took time.Duration) {
	outcome := attribute.String("outcome", outcomeOf(a.verdict))
	e.telemetry.WebhookRequests.Add(ctx, 1, metric.WithAttributes(outcome, attribute.String("status_class", httpstatus.Class(a.status))))
	e.telemetry.WebhookRequestDuration.Record(ctx, took.Seconds(), metric.WithAttributes(outcome))
}

func outcomeOf(v httpstatus.Result) string {
	switch v {
	case httpstatus.Delivered:
		return "delivered"
	case httpstatus.Retry:
		return "retry"
	case httpstatus.Gone:
		return "gone"
	default:
		return "refused"
	}
}
