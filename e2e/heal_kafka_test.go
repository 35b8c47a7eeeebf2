// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// Reconstructed events and stream.healed pass through Kafka, as records and beside blocks. The
// window collectors count them once and say that the gap is healed, also where one of them
// takes over from another that is killed in the gap.
func TestHeal_BehindKafka(t *testing.T) {
	t.Parallel()
	set := tier{broker: startBroker(t)}
	for _, encoding := range []string{"blocks", "records"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			topic := "events_" + encoding
			set.broker.create(t, topic, 2)
			set := tier{broker: set.broker, windows: startWindowSink(t)}
			environment := []string{
				"KAFKA_BROKERS=" + set.broker.address, "KAFKA_TOPIC=" + topic, "SINK=" + set.windows.url, "PROMETHEUS_URL=" + set.windows.url,
			}
			platform := smallPlatform(t, func(c *sim.Config) { c.Duration = 90 * time.Second })
			addition := filepath.Join(t.TempDir(), "addition.yaml")
			require.NoError(t, os.WriteFile(addition, []byte(`
receivers:
  ccaas_ws:
    api: notifications
    encoding: `+encoding+`
    storage: file_storage
    reconnect: { initial_interval: 20ms, max_interval: 200ms }`+quickly+`
service: { telemetry: { metrics: { level: none } } }
`), 0o600))
			ingest := start(t, "otelcol-ccaas", append([]string{
				"CCAAS_ENDPOINT=" + platform.URL(), "CCAAS_TENANT_ID=acme_corp", "CCAAS_REGION=us-east-1",
				"CCAAS_STATE=" + t.TempDir(), "CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret",
				fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
			}, environment...), "--config", "../config/kafka-ingest.yaml", "--config", addition)
			windows := func() *process {
				p := start(t, "otelcol-ccaas", append([]string{fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t))}, environment...),
					"--config", "../config/kafka-window.yaml", "--config", "testdata/kafka/window.yaml", "--config", "yaml:receivers::ccaas_kafka::group_id: windows_"+encoding)
				has(t, p)
				return p
			}
			first := windows()
			of := watched(t, first, platform, set.windows)

			require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{Status: 503} }))
			platform.Reset()
			first.kill(t)
			second := windows()
			middle := time.Now()
			time.Sleep(2 * time.Second)
			require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{} }))
			healedAt(t, second, set.windows, middle)
			<-platform.Done()
			within(t, 2*time.Minute, second, func() error { return agrees(of, set.windows) })
			set.windows.mutex.Lock()
			assert.Empty(t, set.windows.contradictions)
			set.windows.mutex.Unlock()
			ingest.stop(t)
		})
	}
}
