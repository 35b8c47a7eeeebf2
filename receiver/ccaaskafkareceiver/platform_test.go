// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/streampartitionerextension"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// platform writes events to Kafka as an ingest collector does.
type platform struct {
	client *kgo.Client
	clock  int64 // unix ms, of the events
	number int64
	sent   int64 // messages of the platform's users
}

func newPlatform(t testing.TB, cluster *kfake.Cluster) *platform {
	t.Helper()
	factory := streampartitionerextension.NewFactory()
	extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig())
	require.NoError(t, err)
	partitioner := extension.(interface{ GetPartitioner() kgo.Partitioner }).GetPartitioner()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(partitioner))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	// Its windows end by its own events, an hour ago, and not by the wall clock.
	return &platform{client: client, clock: time.Now().Add(-time.Hour).Truncate(size).UnixMilli()}
}

// send writes n messages of every tenant, step apart in the platform's time.
func (p *platform) send(t testing.TB, n int, step time.Duration) {
	t.Helper()
	for range n {
		p.clock += step.Milliseconds()
		for tenant := range tenants {
			p.number++
			p.sent++
			p.produce(t, &kgo.Record{Value: p.message(t, fmt.Sprintf("tenant-%d", tenant), fmt.Sprintf("channel-%d", p.number%7))})
		}
	}
}

func (p *platform) produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	require.NoError(t, p.client.ProduceSync(t.Context(), records...).FirstErr())
}

func (p *platform) message(t testing.TB, tenant, channel string) []byte {
	t.Helper()
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{TenantID: tenant, Region: "us-east-1", ChannelType: "voice"})
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(wsevent.MessageSend)
	record.SetTimestamp(pcommon.Timestamp(p.clock * 1e6))
	record.Attributes().PutStr(wsevent.ChannelID, channel)
	message, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return message
}

// finish lets the last windows end, and waits until everything was emitted.
func (p *platform) finish(t testing.TB, emitted *windows) {
	t.Helper()
	p.send(t, 1, 2*size) // it ends the windows of all that was before
	want := p.sent - tenants
	eventually(t, func() error {
		if got := emitted.total(wsevent.FieldMessagesSent); got != want {
			return fmt.Errorf("the totals are %d, %d were sent", got, want)
		}
		return nil
	})
	emitted.mutex.Lock()
	defer emitted.mutex.Unlock()
	require.Empty(t, emitted.errors)
}

// forget deletes all records of the topic, as its retention does.
func forget(t testing.TB, cluster *kfake.Cluster) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	deleted, err := admin.DeleteRecords(t.Context(), ends.Offsets())
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
}

// remake deletes the topic and creates it again.
func remake(t testing.TB, cluster *kfake.Cluster) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.DeleteTopic(t.Context(), topic)
	require.NoError(t, err)
	_, err = admin.CreateTopic(t.Context(), int32(len(all)), 1, nil, topic)
	require.NoError(t, err)
}
