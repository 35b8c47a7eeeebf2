// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

func byRuleAndStatus(rule, status string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("rule", rule), attribute.String("status", status))
}

// observe registers what is read from the engine when own telemetry is collected.
func (e *evaluator) observe() error {
	locked := func(tell func(metric.Int64Observer)) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			e.mutex.Lock()
			defer e.mutex.Unlock()
			tell(o)
			return nil
		}
	}
	t := e.telemetry
	return errors.Join(
		t.RegisterAlertEvaluationsCallback(locked(func(o metric.Int64Observer) { o.Observe(e.engine.Stats().Evaluations) })),
		t.RegisterAlertPendingAlertsCallback(locked(func(o metric.Int64Observer) { o.Observe(int64(e.alerts.count())) })),
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

// readCalendars reads the calendar files that have changed. One that cannot be
// read leaves its last good events in force.
func (e *evaluator) readCalendars(ctx context.Context) {
	for _, file := range e.files {
		events, err := file.read()
		switch {
		case err != nil:
			e.telemetry.AlertCalendarFailures.Add(ctx, 1)
			if file.failure != err.Error() {
				e.logger.Error("A calendar file cannot be read; its last good events stay in force", zap.Error(err))
			}
			file.failure = err.Error()
		case events != nil:
			file.calendar.Set(file.position, events)
			e.logger.Info("Read a calendar file", zap.String("ical", file.path))
			file.failure = ""
		}
	}
}
