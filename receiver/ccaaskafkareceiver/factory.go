// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
)

// NewFactory makes the factory of the ccaas_kafka receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		Brokers:               []string{"localhost:9092"},
		ClientID:              "otelcol-ccaas",
		Topic:                 "ccaas_events",
		Encoding:              otlpProto,
		GroupID:               "ccaas_windows",
		SessionTimeout:        10 * time.Second,
		HeartbeatInterval:     3 * time.Second,
		RebalanceTimeout:      time.Minute,
		InitialOffset:         earliest,
		MaxPartitionFetchSize: 1 << 20,
		State:                 StateConfig{Create: true, ReplicationFactor: -1},
	}
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(set, cfg.(*Config), next)
}
