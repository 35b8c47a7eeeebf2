// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A Kafka is killed and started again, and then hangs: every event that was
// accepted is in the topic in the end.
func TestFaultBackendKafkaDown(t *testing.T) {
	t.Parallel()
	kafka := startBroker(t)
	kafka.create(t, "ccaas_events", 4)
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Sessions, c.Announce = 300, 100, true })
	collector := start(t, "otelcol-ccaas", []string{
		"KAFKA_BROKERS=" + kafka.address, "STATE=" + t.TempDir(),
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
	}, "--config", "testdata/fault/kafka.yaml")
	eventually(t, func() error { return kafka.behind(t, 1) })

	away := amount(5*time.Second, time.Minute)
	kafka.server.kill(t)
	time.Sleep(away)
	require.NoError(t, collector.ended())
	kafka.server = kafka.serve()
	eventually(t, func() error { return kafka.behind(t, platform.Truth().Events) })
	require.NoError(t, kafka.server.Process.Signal(syscall.SIGSTOP))
	time.Sleep(away)
	require.NoError(t, collector.ended())
	require.NoError(t, kafka.server.Process.Signal(syscall.SIGCONT))

	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	events := platform.Truth().Events
	eventually(t, func() error { return kafka.behind(t, events) })
	distinct, records := kafka.events(t)
	assert.EqualValues(t, events, distinct)
	assert.NotContains(t, collector.output.String(), "Dropping data")
	measured(t, "%d s dead and as long without an answer: %d events accepted, %d in the topic, %d of them twice", int(away.Seconds()), events, distinct, records-distinct)
}

// behind is an error while a topic has fewer events than were sent.
func (b broker) behind(t testing.TB, events int64) error {
	t.Helper()
	if distinct, _ := b.events(t); int64(distinct) < events {
		return fmt.Errorf("%d of %d events are in the topic", distinct, events)
	}
	return nil
}

// events reads the topic from its beginning to its end.
func (b broker) events(t testing.TB) (distinct, records int) {
	t.Helper()
	ends, err := b.admin.ListEndOffsets(t.Context(), "ccaas_events")
	if err != nil {
		return 0, 0
	}
	waiting := map[int32]int64{}
	ends.Each(func(offset kadm.ListedOffset) {
		if offset.Offset > 0 {
			waiting[offset.Partition] = offset.Offset
		}
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.ConsumeTopics("ccaas_events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ids := map[string]bool{}
	for len(waiting) > 0 && t.Context().Err() == nil {
		fetches := client.PollFetches(t.Context())
		fetches.EachRecord(func(record *kgo.Record) {
			if record.Offset+1 >= waiting[record.Partition] {
				delete(waiting, record.Partition)
			}
			logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(record.Value)
			require.NoError(t, err)
			for _, resource := range logs.ResourceLogs().All() {
				for _, scope := range resource.ScopeLogs().All() {
					for _, log := range scope.LogRecords().All() {
						if id, ok := log.Attributes().Get("ccaas.event.id"); ok {
							records++
							ids[id.Str()] = true
						}
					}
				}
			}
		})
	}
	return len(ids), records
}
