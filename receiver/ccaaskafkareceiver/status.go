// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Sources of errors besides partitions.
const (
	group = -1 - iota // the membership
	ends              // the query of end offsets
)

// status derives the component's status from the errors of the partitions and of the
// group. All of them may pass, so all are recoverable.
type status struct {
	report func(*componentstatus.Event)

	mutex  sync.Mutex
	errors map[int]error
	shown  string
}

func newStatus(report func(*componentstatus.Event)) *status {
	return &status{report: report, errors: map[int]error{}}
}

// set records the error of a partition, or nil. An error after the end of ctx is ignored.
func (s *status) set(ctx context.Context, partition int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil || ctx.Err() != nil {
		delete(s.errors, partition)
	} else {
		s.errors[partition] = err
	}
	switch {
	case len(s.errors) == 0 && s.shown != "":
		s.shown = ""
		s.report(componentstatus.NewEvent(componentstatus.StatusOK))
	case s.errors[partition] != nil && err.Error() != s.shown:
		s.shown = err.Error()
		s.report(componentstatus.NewRecoverableErrorEvent(err))
	}
}

// observe registers what is read when own telemetry is collected.
func (r *kafkaReceiver) observe() error {
	return errors.Join(
		r.telemetry.RegisterCcaasKafkaAssignedPartitionsCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(len(r.active())))
			return nil
		}),
		r.telemetry.RegisterCcaasKafkaLagCallback(func(_ context.Context, o metric.Int64Observer) error {
			for number, a := range r.active() {
				lag, _ := a.lagAndSaved()
				o.Observe(lag, metric.WithAttributes(attribute.Int64("partition", int64(number))))
			}
			return nil
		}),
	)
}
