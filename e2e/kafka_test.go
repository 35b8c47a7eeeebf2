// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// tier is two tiers of collectors with a Kafka between them.
type tier struct {
	broker  broker
	windows *windowSink
}

func startTier(t *testing.T, platforms ...*sim.Server) tier {
	t.Helper()
	set := tier{broker: startBroker(t), windows: startWindowSink(t)}
	set.broker.create(t, "ccaas_events", 8)
	for _, platform := range platforms {
		start(t, "otelcol-ccaas", []string{
			"KAFKA_BROKERS=" + set.broker.address,
			"CCAAS_ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
			"CCAAS_STATE=" + t.TempDir(), "CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret",
			fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
		}, "--config", "../config/kafka-ingest.yaml", "--config", "yaml:service::telemetry::metrics::level: none")
	}
	return set
}

// startWindows starts a collector that counts windows.
func (s tier) startWindows(t testing.TB) *process {
	t.Helper()
	return start(t, "otelcol-ccaas", []string{
		"KAFKA_BROKERS=" + s.broker.address,
		"SINK=" + s.windows.url,
		"PROMETHEUS_URL=" + s.windows.url,
		fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
	}, "--config", "../config/kafka-window.yaml", "--config", "testdata/kafka/window.yaml")
}

// has waits for a collector to have partitions.
func has(t testing.TB, p *process) {
	t.Helper()
	eventually(t, func() error {
		if !strings.Contains(p.output.String(), "Partition assigned") {
			return errors.New("the collector has no partition")
		}
		return nil
	})
}

// Windows and totals stay exact when collectors that count them are killed, stopped
// for longer than the group waits, added and replaced under load.
func TestWindowsBehindKafkaStayExact(t *testing.T) {
	t.Parallel()
	platforms := twoPlatforms(t, 1_000, 36_000)
	set := startTier(t, platforms...)
	changeOwners(t, set.windows, func() *process { return set.startWindows(t) }, has, platforms)
}
