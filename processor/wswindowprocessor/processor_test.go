// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

var acme = wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"}

// event returns an event record of acme with the present time.
func event(name, channel string) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), acme)
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(name)
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.Attributes().PutStr(wsevent.ChannelID, channel)
	record.Attributes().PutInt(wsevent.PayloadSize, 512)
	if name == wsevent.ConnectionClose {
		record.Attributes().PutBool(wsevent.CloseAbnormal, true)
	}
	return logs
}

func start(t *testing.T, config *Config, next consumer.Logs) processor.Logs {
	t.Helper()
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), config, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	return p
}

// windows returns the received window records.
func windows(t *testing.T, sink *consumertest.LogsSink) []wslog.Record {
	t.Helper()
	var found []wslog.Record
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if !wslog.IsWindow(record) {
						continue
					}
					assert.Equal(t, metadata.ScopeName, scope.Scope().Name())
					decoded, err := wslog.DecodeRecord(record)
					require.NoError(t, err)
					assert.Equal(t, decoded.Tags, wslog.TagsOf(resource.Resource().Attributes()))
					assert.Equal(t, pcommon.Timestamp(decoded.End*1e6), record.Timestamp())
					found = append(found, decoded)
				}
			}
		}
	}
	return found
}

func field(t *testing.T, from pcommon.Map, key string) float64 {
	t.Helper()
	value, ok := wslog.Number(from, key)
	require.True(t, ok, key)
	return value
}

func TestConsumeLogs_EventsPassAndTheirWindowFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		p := start(t, createDefaultConfig().(*Config), sink)
		for _, logs := range []plog.Logs{
			event(wsevent.ConnectionOpen, "a"),
			event(wsevent.MessageSend, "a"),
			event(wsevent.MessageReceive, "a"),
			event(wsevent.ConnectionClose, "a"),
		} {
			require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		}
		assert.Equal(t, 4, sink.LogRecordCount(), "events pass unchanged")

		begin := time.Now() // synctest begins at midnight 2000: 3 s after a window's start
		time.Sleep(9050 * time.Millisecond)
		synctest.Wait()
		found := windows(t, sink)
		require.Len(t, found, 1)
		assert.LessOrEqual(t, int64(found[0].Start), begin.UnixMilli())
		assert.Greater(t, int64(found[0].End), begin.UnixMilli())
		assert.InDelta(t, 1, field(t, found[0].Fields, wsevent.FieldActiveConnections), 0)
		assert.InDelta(t, 0.2, field(t, found[0].Fields, wsevent.FieldMessagesPerSecond), 1e-9)
		assert.InDelta(t, 1024, field(t, found[0].Fields, wsevent.FieldPayloadBytesTotal), 0)
		assert.InDelta(t, 100, field(t, found[0].Fields, wsevent.FieldDropRatePercent), 0)
		assert.InDelta(t, 1024, field(t, found[0].Totals, wsevent.TotalPayloadBytes), 0)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func isWindows(logs plog.Logs) bool {
	return wslog.IsWindow(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0))
}

func TestConsumeLogs_RetriedBatchCountsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusals := 3
		sink := &owntest.LogsSink{Refuse: func(plog.Logs) error {
			if refusals > 0 {
				refusals--
				return errors.New("not now")
			}
			return nil
		}}
		p := start(t, createDefaultConfig().(*Config), sink)
		logs := event(wsevent.MessageSend, "a")
		for range 3 {
			require.Error(t, p.ConsumeLogs(t.Context(), logs))
		}
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		found := windows(t, &sink.LogsSink)
		require.NotEmpty(t, found)
		assert.InDelta(t, 1, field(t, found[0].Totals, wsevent.FieldMessagesSent), 0)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestEmit_WindowsWaitForDownstreamInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var refusing atomic.Bool
		refusing.Store(true)
		var refused atomic.Int64
		sink := &owntest.LogsSink{Refuse: func(logs plog.Logs) error {
			if refusing.Load() && isWindows(logs) {
				refused.Add(1)
				return errors.New("full")
			}
			return nil
		}}
		p := start(t, createDefaultConfig().(*Config), sink)
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.ConnectionOpen, "a")))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, windows(t, &sink.LogsSink))
		assert.Less(t, refused.Load(), int64(10), "retries have a backoff")
		refusing.Store(false)
		time.Sleep(maxRetryInterval)
		synctest.Wait()
		found := windows(t, &sink.LogsSink)
		require.GreaterOrEqual(t, len(found), 7)
		for i := 1; i < len(found); i++ {
			assert.Equal(t, found[i-1].Start+9_000, found[i].Start)
		}
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestConsumeLogs_RefusedWhileTooManyWindowsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &owntest.LogsSink{Refuse: func(logs plog.Logs) error {
			if isWindows(logs) {
				return errors.New("full")
			}
			return nil
		}}
		config := createDefaultConfig().(*Config)
		config.MaxSeries = 5_000
		p := start(t, config, sink)
		for i := range 5_000 {
			logs := event(wsevent.ConnectionOpen, "a")
			logs.ResourceLogs().At(0).Resource().Attributes().PutStr(wsevent.TenantID, strconv.Itoa(i))
			require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		}
		time.Sleep(2 * time.Minute) // eight windows of each series
		synctest.Wait()
		require.ErrorContains(t, p.ConsumeLogs(t.Context(), event(wsevent.MessageSend, "a")), "windows wait")
		require.ErrorContains(t, p.Shutdown(t.Context()), "lost")
	})
}

func TestEmit_PermanentlyRefusedWindowsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusals := 1
		sink := &owntest.LogsSink{Refuse: func(logs plog.Logs) error {
			if isWindows(logs) && refusals > 0 {
				refusals--
				return consumererror.NewPermanent(errors.New("no"))
			}
			return nil
		}}
		p := start(t, createDefaultConfig().(*Config), sink)
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.MessageSend, "a")))
		time.Sleep(25 * time.Second)
		synctest.Wait()
		found := windows(t, &sink.LogsSink)
		require.NotEmpty(t, found)
		assert.InDelta(t, 1, field(t, found[0].Totals, wsevent.FieldMessagesSent), 0)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestShutdown_EmitsOpenWindowsAsIncomplete(t *testing.T) {
	t.Parallel()
	sink := new(consumertest.LogsSink)
	p := start(t, createDefaultConfig().(*Config), sink)
	require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.MessageSend, "a")))
	require.NoError(t, p.Shutdown(t.Context()))
	found := windows(t, sink)
	require.NotEmpty(t, found)
	complete, ok := found[0].Fields.Get(wsevent.FieldComplete)
	require.True(t, ok)
	assert.False(t, complete.Bool())
}

func TestPassThrough_FalseEmitsWindowsOnly(t *testing.T) {
	t.Parallel()
	sink := new(consumertest.LogsSink)
	config := createDefaultConfig().(*Config)
	config.PassThrough = false
	p := start(t, config, sink)
	require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.MessageSend, "a")))
	assert.Zero(t, sink.LogRecordCount())
	require.NoError(t, p.Shutdown(t.Context()))
	assert.NotEmpty(t, windows(t, sink))
}

func TestConsumeLogs_OtherRecordsPassUncounted(t *testing.T) {
	t.Parallel()
	sink := new(consumertest.LogsSink)
	p := start(t, createDefaultConfig().(*Config), sink)
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("a line of text")
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	require.NoError(t, p.Shutdown(t.Context()))
	assert.Equal(t, 1, sink.LogRecordCount())
}

// Windows without events are emitted up to the latest heartbeat only.
func TestEmit_NoWindowsWhileHeartbeatsAreOverdue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		p := start(t, createDefaultConfig().(*Config), sink)
		send := func(name string) {
			logs := event(name, "")
			record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			record.Attributes().PutInt(wsevent.AliveInterval, 1_000)
			require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		}
		send(wsevent.StreamConnected)
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.ConnectionOpen, "a")))
		for range 60 {
			time.Sleep(time.Second)
			send(wsevent.StreamAlive)
		}
		synctest.Wait()
		emitted := len(windows(t, sink))
		assert.GreaterOrEqual(t, emitted, 5)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Len(t, windows(t, sink), emitted, "no window without a heartbeat")
		send(wsevent.StreamAlive)
		time.Sleep(time.Second)
		synctest.Wait()
		found := windows(t, sink)
		require.Greater(t, len(found), emitted)
		complete, ok := found[emitted].Fields.Get(wsevent.FieldComplete)
		require.True(t, ok)
		assert.False(t, complete.Bool())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// manyEvents returns a batch as the receiver makes it.
func manyEvents(n int) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), acme)
	records := resource.ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(n)
	for i := range n {
		record := records.AppendEmpty()
		record.SetEventName(wsevent.MessageSend)
		record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		attributes := record.Attributes()
		attributes.EnsureCapacity(4)
		attributes.PutStr(wsevent.ChannelID, fmt.Sprintf("0d6b4b1c-7c5e-4f0a-9b53-%012d", i))
		attributes.PutStr(wsevent.UserID, "8a4f8f3c-1f2e-4a55-8b0d-000000000001")
		attributes.PutInt(wsevent.PayloadSize, 512)
		attributes.PutStr(wsevent.EventID, "5f0c2a9e-6a0f-4d8f-8f6b-000000000001")
	}
	return logs
}

func BenchmarkConsumeLogs(b *testing.B) {
	const events = 1_000
	bare := createDefaultConfig().(*Config)
	bare.Sessions.RecorderEvents, bare.Sessions.Enabled = 0, true
	for _, mode := range []struct {
		name   string
		config *Config
	}{{"off", createDefaultConfig().(*Config)}, {"on", bare}, {"recorder", followed()}} {
		b.Run("sessions="+mode.name, func(b *testing.B) {
			p, err := newProcessor(processortest.NewNopSettings(metadata.Type), mode.config, consumertest.NewNop())
			require.NoError(b, err)
			logs := manyEvents(events)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.ConsumeLogs(b.Context(), logs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}
