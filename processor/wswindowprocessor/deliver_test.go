// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// receiver is one that delivers what it reads at once, unless it is blocked.
type receiver struct{ blockedSince atomic.Int64 }

func (*receiver) Source() string { return "ccaas_ws/0" }

func (r *receiver) DeliveredTo(now time.Time) time.Time {
	if since := r.blockedSince.Load(); since != 0 {
		return time.UnixMilli(since)
	}
	return now
}

// While the receiver cannot deliver, no window says that nothing happened.
func TestConsumeLogs_WindowsWaitForABlockedReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := createDefaultConfig().(*Config)
		config.Overlap = 0
		sink := new(consumertest.LogsSink)
		p := start(t, config, sink)
		r := new(receiver)
		ctx := wsevent.ContextWithDelivery(t.Context(), r)
		require.NoError(t, p.ConsumeLogs(ctx, event(wsevent.StreamConnected, "")))
		require.NoError(t, p.ConsumeLogs(ctx, event(wsevent.ConnectionOpen, "a")))
		time.Sleep(11 * time.Second)
		r.blockedSince.Store(time.Now().UnixMilli())
		before := len(windows(t, sink))
		time.Sleep(25 * time.Second)
		synctest.Wait()
		assert.LessOrEqual(t, len(windows(t, sink)), before+1, "at most the one that had ended")
		r.blockedSince.Store(0)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		assert.Greater(t, len(windows(t, sink)), before+2)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// What the receiver filled in from its configuration follows the channel.
func TestConsumeLogs_DefaultedDimensionsFollowTheirChannel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		p := start(t, createDefaultConfig().(*Config), sink)
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.ConnectionOpen, "a")))
		closed := event(wsevent.ConnectionClose, "a")
		resource := closed.ResourceLogs().At(0)
		resource.Resource().Attributes().PutStr(wsevent.Region, "configured")
		resource.Resource().Attributes().PutStr(wsevent.ChannelType, wsevent.Unknown)
		defaulted := resource.ScopeLogs().At(0).Scope().Attributes().PutEmptySlice(wsevent.DimensionsDefaulted)
		defaulted.AppendEmpty().SetStr(wsevent.Region)
		defaulted.AppendEmpty().SetStr(wsevent.ChannelType)
		require.NoError(t, p.ConsumeLogs(t.Context(), closed))
		require.NoError(t, p.Shutdown(t.Context()))
		found := windows(t, sink)
		require.NotEmpty(t, found)
		for _, window := range found {
			assert.Equal(t, acme, window.Tags)
			assert.InDelta(t, 1, field(t, window.Fields, wsevent.FieldConnectionsDropped), 0)
		}
	})
}

// A batch that spans a minute, all of it observed as it happened, gives the windows of
// the events one by one.
func TestConsumeLogs_BacklogEqualsLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		backlog := event(wsevent.ConnectionOpen, "a")
		for i := range 60 {
			for _, channelType := range []string{"voice", "webmessaging"} {
				one := event(wsevent.MessageSend, "a-"+channelType)
				one.ResourceLogs().At(0).Resource().Attributes().PutStr(wsevent.ChannelType, channelType)
				record := one.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
				at := pcommon.NewTimestampFromTime(begin.Add(time.Duration(i) * time.Second))
				record.SetTimestamp(at)
				record.SetObservedTimestamp(at)
				one.ResourceLogs().MoveAndAppendTo(backlog.ResourceLogs())
			}
		}
		record := backlog.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		record.SetObservedTimestamp(record.Timestamp())
		time.Sleep(10 * time.Minute)
		config := createDefaultConfig().(*Config)
		config.Overlap = 0
		sink := new(consumertest.LogsSink)
		p := start(t, config, sink)
		require.NoError(t, p.ConsumeLogs(t.Context(), backlog))
		require.NoError(t, p.Shutdown(t.Context()))
		sent := 0.0
		for _, window := range windows(t, sink) {
			sent += field(t, window.Fields, wsevent.FieldMessagesSent)
			assert.Zero(t, field(t, window.Fields, wsevent.FieldLateEvents))
		}
		assert.InDelta(t, 120, sent, 0)
	})
}
