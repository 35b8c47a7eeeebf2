// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// add adds records of a series, with their number in the body.
func add(logs plog.Logs, tenant, channelType string, bodies ...string) {
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{TenantID: tenant, Region: "us-east-1", ChannelType: channelType})
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("ccaas_ws")
	for _, body := range bodies {
		scope.LogRecords().AppendEmpty().Body().SetStr(body)
	}
}

// bodies returns the bodies of a message, after checking that it is of one stream.
func bodies(t testing.TB, m message, partitions int) (tenant string, all []string) {
	t.Helper()
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(m.content)
	require.NoError(t, err)
	for _, resource := range logs.ResourceLogs().All() {
		tags := wslog.TagsOf(resource.Resource().Attributes())
		if tenant == "" {
			tenant = tags.TenantID
		}
		assert.Equal(t, tenant, tags.TenantID)
		assert.Equal(t, rabbitmq.Partition(wsevent.StreamKey(tags.TenantID, tags.Region), partitions), m.partition)
		for _, scope := range resource.ScopeLogs().All() {
			assert.Equal(t, "ccaas_ws", scope.Scope().Name())
			for _, record := range scope.LogRecords().All() {
				all = append(all, record.Body().Str())
			}
		}
	}
	return tenant, all
}

func TestSplit_OneMessageForEachStream(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	add(logs, "acme_corp", "voice", "1", "2")
	add(logs, "globex", "voice", "3")
	add(logs, "acme_corp", "webmessaging", "4")
	s := splitter{partitions: 12, max: 1 << 20}
	messages, tooLarge, err := s.split(logs)
	require.NoError(t, err)
	assert.Zero(t, tooLarge)
	require.Len(t, messages, 2)
	tenant, got := bodies(t, messages[0], 12)
	assert.Equal(t, "acme_corp", tenant)
	assert.Equal(t, []string{"1", "2", "4"}, got)
	tenant, got = bodies(t, messages[1], 12)
	assert.Equal(t, "globex", tenant)
	assert.Equal(t, []string{"3"}, got)

	again, _, err := s.split(logs)
	require.NoError(t, err)
	assert.Equal(t, messages, again, "a retry publishes the same messages")
}

func TestSplit_LargeBatchIsSplitInOrder(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("%03d %s", i, strings.Repeat("x", i)))
	}
	add(logs, "acme_corp", "voice", want[:200]...)
	records := logs.ResourceLogs().At(0).ScopeLogs().AppendEmpty()
	records.Scope().SetName("ccaas_ws")
	for _, body := range want[200:] {
		records.LogRecords().AppendEmpty().Body().SetStr(body)
	}
	records.LogRecords().AppendEmpty().Body().SetStr(strings.Repeat("y", 5_000))
	s := splitter{partitions: 3, max: 2_000}
	messages, tooLarge, err := s.split(logs)
	require.NoError(t, err)
	assert.Equal(t, 1, tooLarge)
	var got []string
	for _, m := range messages {
		assert.LessOrEqual(t, len(m.content), s.max)
		_, some := bodies(t, m, 3)
		got = append(got, some...)
	}
	assert.Equal(t, want, got)
}

func TestSplit_NothingToPublish(t *testing.T) {
	t.Parallel()
	s := splitter{partitions: 3, max: 2_000}
	messages, tooLarge, err := s.split(plog.NewLogs())
	require.NoError(t, err)
	assert.Empty(t, messages)
	assert.Zero(t, tooLarge)
}

func BenchmarkSplit(b *testing.B) {
	logs := plog.NewLogs()
	for tenant := range 5 {
		for range 2 {
			add(logs, fmt.Sprint("tenant-", tenant), "voice", make([]string, 100)...)
		}
	}
	s := splitter{partitions: 12, max: 1 << 20}
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = s.split(logs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1_000, "ns/event")
}
