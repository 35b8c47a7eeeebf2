// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// sizeOf is the size of the files with events, by their suffix. (The indexes of Kafka are allocated before they are used.)
func sizeOf(t testing.TB, folder, suffix string) (bytes int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, suffix) || !strings.Contains(path, "ccaas_events-") || strings.Contains(path, "state") {
			return nil //nolint:nilerr // a file of the server that is not there any more
		}
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
		return nil
	}))
	return bytes
}

// The same events go through both tiers, one after the other. The figures are CPU time of the collectors, and bytes on the disk of the
// broker.
func BenchmarkTiers(b *testing.B) {
	const events = 300_000
	platform := func(b *testing.B) *sim.Server {
		return startPlatform(b, func(c *sim.Config) {
			c.Rate, c.Events, c.Announce, c.Sessions = 30_000, events, true, 5_000
			c.Tenants, c.Regions = []string{"acme_corp", "globex", "initech", "umbrella"}, []string{"us-east-1", "eu-west-1"}
			c.Frame, c.FrameEvents = sim.FrameArray, 100
		})
	}
	run := func(b *testing.B, p *sim.Server, windows *windowSink, ingest, window *process, size func() int64) {
		b.Helper()
		begun := time.Now()
		truth := truthOf(b, []*sim.Server{p})
		eventually(b, func() error { return windows.disagreement(truth) })
		n := float64(p.Truth().Events)
		in, out := ingest.cpu(b).Seconds(), window.cpu(b).Seconds()
		b.ReportMetric(in/n*1e6, "µs-ingest/event")
		b.ReportMetric(out/n*1e6, "µs-window/event")
		b.ReportMetric(n/(in+out), "events/s/core")
		b.ReportMetric(float64(size())/n, "B-disk/event")
		b.ReportMetric(time.Since(begun).Seconds(), "s")
	}
	b.Run("kafka", func(b *testing.B) {
		for range b.N {
			p, windows, kafka := platform(b), startWindowSink(b), startBroker(b)
			kafka.create(b, "ccaas_events", 12)
			window := start(b, "otelcol-ccaas", []string{
				"KAFKA_BROKERS=" + kafka.address, "SINK=" + windows.url, "PROMETHEUS_URL=" + windows.url, fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(b)),
			}, "--config", "../config/kafka-window.yaml", "--config", "testdata/kafka/window.yaml")
			ingest := start(b, "otelcol-ccaas", []string{
				"KAFKA_BROKERS=" + kafka.address, "CCAAS_ENDPOINT=" + strings.Replace(p.URL(), "http", "ws", 1),
				"CCAAS_STATE=" + b.TempDir(), "CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret", fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(b)),
			}, "--config", "../config/kafka-ingest.yaml", "--config", "yaml:service::telemetry::metrics::level: none")
			run(b, p, windows, ingest, window, func() int64 { return sizeOf(b, kafka.folder, ".log") })
		}
	})
	b.Run("rabbitmq", func(b *testing.B) {
		for range b.N {
			p := platform(b)
			set := rabbitTier{server: startRabbitMQ(b), windows: startWindowSink(b)}
			ingest := set.startIngest(b, p, b.TempDir())
			window := set.startWindows(b)
			run(b, p, set.windows, ingest, window, func() int64 { return sizeOf(b, set.server.folder, ".segment") })
		}
	})
}
