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

	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const rabbitPartitions = 4

// startRabbitIngest starts a collector that publishes the events of a platform.
func (r *rabbit) startRabbitIngest(t testing.TB, platform *sim.Server, state string, changes ...string) *process {
	t.Helper()
	return start(t, "otelcol-ccaas", []string{
		fmt.Sprintf("RABBITMQ_ENDPOINT=rabbitmq-stream://127.0.0.1:%d", r.stream),
		"RABBITMQ_USERNAME=" + rabbitUser, "RABBITMQ_PASSWORD=" + rabbitPassword,
		"STATE=" + state, "ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
	}, configured([]string{"testdata/rabbitmq/ingest.yaml"}, changes)...)
}

// published counts the events in the streams by their id.
func (r *rabbit) published(t testing.TB) (distinct, records int) {
	t.Helper()
	ids := map[string]bool{}
	for partition := range rabbitPartitions {
		for _, message := range r.messages(t, "ccaas_events", partition) {
			records += eventIDs(t, message, ids)
		}
	}
	return len(ids), records
}

func eventIDs(t testing.TB, message []byte, ids map[string]bool) (records int) {
	t.Helper()
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(message)
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
	return records
}

func (r *rabbit) behind(t testing.TB, events int64) error {
	t.Helper()
	if distinct, _ := r.published(t); int64(distinct) < events {
		return fmt.Errorf("%d of %d events are in the streams", distinct, events)
	}
	return nil
}

// Whatever happens between the collector and the broker, each event is in a stream once: the broker is killed, restarted, suspended and has
// a full disk, connections are reset, and the collector is killed and continues with its queue.
func TestFaultRabbitMQ_EachEventIsPublishedOnce(t *testing.T) {
	t.Parallel()
	server := startRabbitMQ(t)
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce = 300, 100, true
		c.Tenants, c.Regions = []string{"acme_corp", "globex", "initech"}, []string{"us-east-1", "eu-west-1"}
	})
	state, away := t.TempDir(), amount(3*time.Second, 30*time.Second)
	collector := server.startRabbitIngest(t, platform, state)
	more := func() {
		t.Helper()
		sent := platform.Truth().Events
		eventually(t, func() error { return server.behind(t, sent+1) })
		require.NoError(t, collector.ended())
	}
	more()

	for range amount(3, 20) {
		server.control(t, "close_all_connections", "reset")
		time.Sleep(500 * time.Millisecond)
	}
	more()

	server.alarm(t, true)
	time.Sleep(away)
	server.alarm(t, false)
	more()

	server.kill(t)
	time.Sleep(away)
	server.start(t)
	more()

	server.server.stop(t)
	server.start(t)
	more()

	server.signal(syscall.SIGSTOP)
	time.Sleep(2 * away)
	server.signal(syscall.SIGCONT)
	more()

	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true })) // from here on the queue has all
	events := platform.Truth().Events
	eventually(t, func() error { return server.behind(t, events) })
	distinct, records := server.published(t)
	assert.EqualValues(t, events, distinct)
	assert.Equal(t, distinct, records, "events are in a stream twice")
	assert.NotContains(t, collector.output.String(), "Dropping data")
	measured(t, "5 connection resets, a full disk, a kill, a restart, a hang of the broker: %d events accepted, %d in the streams, %d twice", events, distinct, records-distinct)
}

// A collector that is killed at any moment continues with its queue. What it was publishing is in the streams once.
func TestFaultRabbitMQ_KilledIngestContinues(t *testing.T) {
	t.Parallel()
	server := startRabbitMQ(t)
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce = 1_000, 100, true
		c.Tenants, c.Regions = []string{"acme_corp", "globex", "initech"}, []string{"us-east-1", "eu-west-1"}
	})
	state := t.TempDir()
	kills := amount(8, 60)
	for i := range kills {
		if i%4 == 1 { // with batches that the broker has in its socket and has not written
			server.alarm(t, true)
		}
		collector := server.startRabbitIngest(t, platform, state)
		_, before := server.published(t)
		if i%4 == 1 {
			time.Sleep(2 * time.Second)
		} else {
			eventually(t, func() error {
				if _, now := server.published(t); now <= before {
					return errors.New("nothing is published")
				}
				return nil
			})
		}
		collector.kill(t)
		if i%4 == 1 {
			server.alarm(t, false)
		}
	}
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	collector := server.startRabbitIngest(t, platform, state)
	var distinct, records int
	eventually(t, func() error {
		before := records
		time.Sleep(3 * time.Second)
		if distinct, records = server.published(t); records != before {
			return errors.New("the queue is not empty")
		}
		return nil
	})
	require.NoError(t, collector.ended())
	assert.Equal(t, distinct, records, "events are in a stream twice")
	measured(t, "%d kills of the ingest collector: %d events in the streams, %d twice", kills, distinct, records-distinct)
}

// Two collectors with one configuration, producer_name included, lose nothing to each other.
// A number of partitions that is smaller than that of the streams is an error in both tiers,
// also where it divides it.
func TestRabbitMQ_CollectorsWithOneConfiguration(t *testing.T) {
	t.Parallel()
	const events = 2_000
	set := rabbitTier{server: startRabbitMQ(t), windows: startWindowSink(t)}
	var platforms []*sim.Server
	for range 2 {
		platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Events, c.Sessions, c.Announce = 1_000, events, 100, true })
		set.server.startRabbitIngest(t, platform, t.TempDir(), "exporters::rabbitmq_stream::producer_name: ingest")
		platforms = append(platforms, platform)
	}
	want := 0
	for _, platform := range platforms {
		progresses(t, platform)
		want += int(platform.Truth().Events)
	}
	eventually(t, func() error {
		if _, records := set.server.published(t); records != want {
			return fmt.Errorf("%d of %d events are in the streams", records, want)
		}
		return nil
	})

	const few = "partitions: 2"
	idle := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
	logs(t, set.server.startRabbitIngest(t, idle, t.TempDir(), "exporters::rabbitmq_stream::"+few), "ccaas_events-2 exists, so there are more than are configured")
	logs(t, set.startWindows(t, "receivers::ccaas_rabbitmq::"+few, "receivers::ccaas_rabbitmq::stream: ccaas_events"), "ccaas_events-2 exists, so there are more than are configured")
}

// RabbitMQ's own client reads what the exporter writes, compressed or not.
func TestRabbitMQ_PublicClientReadsTheMessages(t *testing.T) {
	t.Parallel()
	server := startRabbitMQ(t)
	server.control(t, "add_user", "reader", "reader")
	server.control(t, "set_permissions", "reader", "", "", ".*")
	for i, compression := range []string{"zstd", "none"} {
		platform := startPlatform(t, func(c *sim.Config) {
			c.Rate, c.Events, c.Sessions, c.Announce = 500, 500, 50, true
			c.Tenants, c.Regions = []string{"acme_corp"}, []string{"us-east-1"}
		})
		server.startRabbitIngest(t, platform, t.TempDir(), "exporters::rabbitmq_stream::compression: "+compression,
			fmt.Sprintf("exporters::rabbitmq_stream::stream: compressed_%d", i))
		environment, err := stream.NewEnvironment(stream.NewEnvironmentOptions().SetHost("127.0.0.1").SetPort(server.stream).
			SetUser("reader").SetPassword("reader"))
		require.NoError(t, err)
		defer environment.Close()
		ids := map[string]bool{}
		messages := make(chan []byte, 1_000)
		eventually(t, func() error {
			_, err := environment.StreamMetaData(rabbitmq.StreamName(fmt.Sprintf("compressed_%d", i), rabbitmq.Partition(wsevent.StreamKey("acme_corp", "us-east-1"), rabbitPartitions)))
			return err
		})
		for partition := range rabbitPartitions {
			name := rabbitmq.StreamName(fmt.Sprintf("compressed_%d", i), partition)
			if exists, _ := environment.StreamExists(name); !exists {
				continue
			}
			_, err = environment.NewConsumer(name, func(_ stream.ConsumerContext, message *amqp.Message) { messages <- message.GetData() },
				stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.First()))
			require.NoError(t, err)
		}
		events := sent(t, platform).Events
		for int64(len(ids)) < events {
			select {
			case message := <-messages:
				eventIDs(t, message, ids)
			case <-time.After(patience):
				require.FailNow(t, "events are missing", "%d of %d", len(ids), events)
			}
		}
	}
}
