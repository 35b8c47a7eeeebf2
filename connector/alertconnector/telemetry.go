// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

func byRuleAndStatus(rule, status string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("rule", rule), attribute.String("status", status))
}

// observe registers the metrics that are read from the engine at each collection.
func (e *evaluator) observe() error {
	locked := func(report func(metric.Int64Observer)) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			e.mutex.Lock()
			defer e.mutex.Unlock()
			report(o)
			return nil
		}
	}
	t := e.telemetry
	return errors.Join(
		t.RegisterAlertEvaluationsCallback(locked(func(o metric.Int64Observer) { o.Observe(e.engine.Stats().Evaluations) })),
		t.RegisterAlertPendingAlertsCallback(locked(func(o metric.Int64Observer) { o.Observe(int64(e.alerts.count())) })),
		t.RegisterAlertLateStreamsCallback(locked(func(o metric.Int64Observer) { o.Observe(e.lateStreams()) })),
		t.RegisterAlertSkippedSamplesCallback(locked(func(o metric.Int64Observer) {
			for reason, n := range e.engine.Stats().Skipped {
				o.Observe(n, metric.WithAttributes(attribute.String("reason", string(reason))))
			}
		})),
		t.RegisterAlertSeriesCallback(locked(func(o metric.Int64Observer) {
			for _, of := range e.engine.Counts() {
				o.Observe(int64(of.Series), metric.WithAttributes(attribute.String("rule", of.Rule)))
			}
		})),
		t.RegisterAlertLearningSeriesCallback(locked(func(o metric.Int64Observer) {
			for _, of := range e.engine.Counts() {
				if of.Baseline {
					o.Observe(int64(of.Learning), metric.WithAttributes(attribute.String("rule", of.Rule)))
				}
			}
		})),
	)
}
