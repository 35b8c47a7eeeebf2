// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// pastEvent is an event as a receiver has read it.
type pastEvent struct {
	series   sim.Series
	name     string
	channel  string
	time     int64 // unix ms
	observed int64
}

// backlog is ten minutes of a stream's traffic, in the order in which it was observed: less
// than a second out of order in time.
func backlog(random *rand.Rand, tenant string, begin int64) []pastEvent {
	var events []pastEvent
	add := func(name, channel string, at int64) {
		channelType := []string{"voice", "webmessaging", "callback"}[len(channel)%3]
		events = append(events, pastEvent{
			sim.Series{TenantID: tenant, Region: "us-east-1", ChannelType: channelType}, name, channel, at, at + random.Int64N(800),
		})
	}
	for i := range 600 {
		channel := fmt.Sprintf("%s-%d%.*s", tenant, i, i%3, "ab")
		opened := begin + int64(i)*1_000
		add(wsevent.ConnectionOpen, channel, opened)
		for range 15 {
			add([]string{wsevent.MessageSend, wsevent.MessageReceive}[random.IntN(2)], channel, opened+1_000+random.Int64N(18_000))
		}
		add(wsevent.ConnectionClose, channel, opened+20_000)
	}
	slices.SortStableFunc(events, func(a, b pastEvent) int { return int(a.observed - b.observed) })
	return events
}

// resources are events in one plog.Logs, grouped by their series.
func resources(events []pastEvent) plog.Logs {
	logs := plog.NewLogs()
	records := map[sim.Series]plog.LogRecordSlice{}
	for _, event := range events {
		to, ok := records[event.series]
		if !ok {
			resource := logs.ResourceLogs().AppendEmpty()
			tags := wsevent.Tags{TenantID: event.series.TenantID, Region: event.series.Region, ChannelType: event.series.ChannelType}
			wslog.PutTags(resource.Resource().Attributes(), tags)
			to = resource.ScopeLogs().AppendEmpty().LogRecords()
			records[event.series] = to
		}
		record := to.AppendEmpty()
		record.SetEventName(event.name)
		record.SetTimestamp(pcommon.Timestamp(event.time * 1e6))             //nolint:gosec // of our time
		record.SetObservedTimestamp(pcommon.Timestamp(event.observed * 1e6)) //nolint:gosec // of our time
		record.Attributes().PutStr(wsevent.ChannelID, event.channel)
		record.Attributes().PutInt(wsevent.PayloadSize, 10)
		if event.name == wsevent.ConnectionClose {
			record.Attributes().PutBool(wsevent.CloseAbnormal, false)
		}
	}
	return logs
}

// expect counts an event in its window of 2 s.
func expect(windows map[sim.Series]map[int64]wsevent.Counts, event pastEvent) {
	if windows[event.series] == nil {
		windows[event.series] = map[int64]wsevent.Counts{}
	}
	start := event.time / 2_000 * 2_000
	counts := windows[event.series][start]
	switch event.name {
	case wsevent.ConnectionOpen:
		counts.ConnectionsOpened++
	case wsevent.ConnectionClose:
		counts.ConnectionsClosed++
	case wsevent.MessageSend:
		counts.MessagesSent++
		counts.PayloadBytes += 10
	case wsevent.MessageReceive:
		counts.MessagesReceived++
		counts.PayloadBytes += 10
	}
	windows[event.series][start] = counts
}

// Ten minutes that waited in Kafka, in batches that span minutes and are grouped by
// resource, give at full speed the windows that they would have given live.
func TestBacklogInKafkaEqualsLive(t *testing.T) {
	t.Parallel()
	set := tier{broker: startBroker(t), windows: startWindowSink(t)}
	set.broker.create(t, "ccaas_events", 2)
	producer, err := kgo.NewClient(kgo.SeedBrokers(set.broker.address), kgo.DefaultProduceTopic("ccaas_events"))
	require.NoError(t, err)
	defer producer.Close()

	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // traffic
	begin := time.Now().Add(-11 * time.Minute).UnixMilli()
	want := map[sim.Series]map[int64]wsevent.Counts{}
	truth := map[sim.Series]sim.Counts{}
	for _, tenant := range []string{"acme_corp", "globex"} {
		events := backlog(random, tenant, begin)
		for _, event := range events {
			expect(want, event)
		}
		for batch := range slices.Chunk(events, 2_000) {
			value, err := (&plog.ProtoMarshaler{}).MarshalLogs(resources(batch))
			require.NoError(t, err)
			record := &kgo.Record{Key: wsevent.StreamKey(tenant, "us-east-1"), Value: value, Timestamp: time.UnixMilli(batch[len(batch)-1].observed)}
			require.NoError(t, producer.ProduceSync(t.Context(), record).FirstErr())
		}
	}
	for series, windows := range want {
		var sum wsevent.Counts
		for _, counts := range windows {
			sum.Add(&counts)
		}
		truth[series] = simCounts(sum)
	}

	set.startWindows(t)
	eventually(t, func() error { return set.windows.disagreement(truth) })
	set.windows.check(t, truth)
	set.windows.mutex.Lock()
	defer set.windows.mutex.Unlock()
	for series, windows := range want {
		for start, counts := range windows {
			got, ok := set.windows.bySeries[series][start]
			assert.Truef(t, ok, "%v has no window at %d", series, start)
			assert.Equalf(t, counts, got.counts, "%v at %d", series, start)
		}
	}
}
