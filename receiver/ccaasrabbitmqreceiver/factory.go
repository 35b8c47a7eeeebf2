// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/metadata"
)

// NewFactory makes the factory of the ccaas_rabbitmq receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		ClientConfig:   rabbitmq.NewDefaultClientConfig(),
		AMQPEndpoint:   "amqp://localhost:5672",
		Stream:         "ccaas_events",
		Partitions:     12,
		InitialOffset:  earliest,
		GroupID:        "ccaas_windows",
		SessionTimeout: 10 * time.Second,
		State:          StateConfig{Create: true, MaxBytes: 256 << 20},
	}
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(set, cfg.(*Config), next)
}
