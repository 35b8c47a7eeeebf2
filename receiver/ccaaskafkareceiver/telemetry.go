// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// observe registers what is read when own telemetry is collected.
func (r *kafkaReceiver) observe() error {
	return errors.Join(
		r.telemetry.RegisterCcaasKafkaAssignedPartitionsCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(len(r.engine.Active())))
			return nil
		}),
		r.telemetry.RegisterCcaasKafkaLagCallback(func(_ context.Context, o metric.Int64Observer) error {
			for number, a := range r.engine.Active() {
				lag, _ := a.LagAndSaved()
				o.Observe(lag, metric.WithAttributes(attribute.Int64("partition", int64(number))))
			}
			return nil
		}),
	)
}
