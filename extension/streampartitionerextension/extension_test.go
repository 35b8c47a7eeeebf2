// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package streampartitionerextension

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/streampartitionerextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

func message(t *testing.T, tags ...wsevent.Tags) *kgo.Record {
	t.Helper()
	logs := plog.NewLogs()
	for _, tags := range tags {
		wslog.PutTags(logs.ResourceLogs().AppendEmpty().Resource().Attributes(), tags)
	}
	value, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return &kgo.Record{Key: []byte("the exporter's"), Value: value}
}

func start(t *testing.T) (kgo.TopicPartitioner, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	set := extensiontest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	extension, err := NewFactory().Create(t.Context(), set, createDefaultConfig())
	require.NoError(t, err)
	return extension.(interface{ GetPartitioner() kgo.Partitioner }).GetPartitioner().ForTopic("ccaas_events"), logs
}

func TestAStreamIsInOnePartition(t *testing.T) {
	t.Parallel()
	place, logs := start(t)
	found := map[int]bool{}
	for tenant := range 100 {
		of := func(channelType string) int {
			return place.Partition(message(t, wsevent.Tags{TenantID: strconv.Itoa(tenant), Region: "us-east-1", ChannelType: channelType}), 12)
		}
		at := of("voice")
		found[at] = true
		assert.Equal(t, at, of("webmessaging"))
		assert.Equal(t, at, of(wsevent.Unknown), "and what is said about the stream")
		// As any client of Kafka does it, with the key that the documentation names.
		keyed := kgo.StickyKeyPartitioner(nil).ForTopic("ccaas_events").Partition(&kgo.Record{Key: fmt.Appendf(nil, "%d/us-east-1", tenant)}, 12)
		assert.Equal(t, keyed, at)
	}
	assert.Len(t, found, 12, "all partitions are used")
	assert.Zero(t, logs.Len())
}

func TestAMessageOfSeveralStreamsHasNoPlace(t *testing.T) {
	t.Parallel()
	place, logs := start(t)
	both := message(t, wsevent.Tags{TenantID: "acme_corp"}, wsevent.Tags{TenantID: "globex"})
	for range 3 {
		assert.Equal(t, none, place.Partition(both, 12))
		assert.Equal(t, none, place.Partition(&kgo.Record{Value: []byte("{}")}, 12))
	}
	require.Equal(t, 1, logs.Len(), "logged once")
	assert.Contains(t, logs.All()[0].Message, "partition_logs_by_resource_attributes: true")
}
