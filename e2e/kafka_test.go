// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
func (s tier) startWindows(t *testing.T) *process {
	t.Helper()
	return start(t, "otelcol-ccaas", []string{
		"KAFKA_BROKERS=" + s.broker.address,
		"SINK=" + s.windows.url,
		"PROMETHEUS_URL=" + s.windows.url,
		fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
	}, "--config", "../config/kafka-window.yaml", "--config", "testdata/kafka/window.yaml")
}

// has waits for a collector to have partitions.
func has(t *testing.T, p *process) {
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
	var platforms []*sim.Server
	for _, tenants := range [][]string{{"acme_corp", "globex", "initech"}, {"umbrella", "hooli"}} {
		platforms = append(platforms, startPlatform(t, func(c *sim.Config) {
			c.Rate, c.Events, c.Announce, c.Sessions = 1_000, 36_000, true, 2_000
			c.Tenants, c.Regions = tenants, []string{"us-east-1", "eu-west-1"}
			c.Frame, c.FrameEvents, c.DropRate = sim.FrameArray, 10, 10
		}))
	}
	set := startTier(t, platforms...)
	first, second := set.startWindows(t), set.startWindows(t)
	has(t, first)
	has(t, second)
	set.windows.waitFor(t, 200)

	first.kill(t)
	killed := time.Now()
	set.windows.waitUntil(t, killed) // of every stream, so the other one has taken over

	third := set.startWindows(t)
	has(t, third)
	require.NoError(t, second.Process.Signal(syscall.SIGSTOP))
	stopped := time.Now()
	set.windows.waitUntil(t, stopped)
	require.NoError(t, second.Process.Signal(syscall.SIGCONT)) // it does not know what happened meanwhile
	eventually(t, func() error {
		if !strings.Contains(second.output.String(), "partition lost") {
			return errors.New("the collector that was stopped does not know yet that others have its partitions")
		}
		return nil
	})
	fourth := set.startWindows(t)
	has(t, fourth)
	third.stop(t)

	truth := map[sim.Series]sim.Counts{}
	for _, platform := range platforms {
		for _, series := range sent(t, platform).Series {
			truth[series.Series] = series.Counts
		}
	}
	eventually(t, func() error { return set.windows.disagreement(truth) })
	set.windows.check(t, truth)
}
