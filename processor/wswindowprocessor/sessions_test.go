// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
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
	"go.opentelemetry.io/collector/processor/processortest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// followed is a configuration with sessions.
func followed() *Config {
	config := createDefaultConfig().(*Config)
	config.Overlap = 0
	config.Sessions.Enabled = true
	return config
}

// ofUser names the user of an event.
func ofUser(logs plog.Logs, user string) plog.Logs {
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	record.Attributes().PutStr(wsevent.UserID, user)
	if record.EventName() == wsevent.ConnectionClose {
		record.Attributes().PutInt(wsevent.CloseCode, 1006)
		record.Attributes().PutStr(wsevent.CloseReason, "transport.failure")
	}
	return logs
}

// sessions returns the received session records.
func sessions(t *testing.T, sink *consumertest.LogsSink) []wsevent.Session {
	t.Helper()
	var found []wsevent.Session
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if wslog.IsSession(record) {
						decoded, err := wslog.DecodeSession(record, resource.Resource().Attributes())
						require.NoError(t, err)
						assert.Equal(t, pcommon.TraceID(decoded.TraceID), record.TraceID())
						found = append(found, decoded)
					}
				}
			}
		}
	}
	return found
}

func TestSessions_RecordFollowsTheClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		config := followed()
		config.Sessions.UserID, config.Sessions.PseudonymKey = userPseudonym, "0123456789abcdef"
		p := start(t, config, sink)
		assert.True(t, p.Capabilities().MutatesData)
		begin := time.Now().UnixMilli()
		for _, name := range []string{wsevent.ConnectionOpen, wsevent.MessageReceive, wsevent.MessageSend, wsevent.ConnectionClose} {
			require.NoError(t, p.ConsumeLogs(t.Context(), ofUser(event(name, "a"), "jane@example.com")))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		found := sessions(t, sink)
		require.Len(t, found, 1)
		s := found[0]
		assert.Equal(t, acme, s.Tags)
		assert.Equal(t, "a", s.ChannelID)
		assert.Equal(t, wsevent.UnixMilli(begin), s.Start)
		assert.Equal(t, wsevent.UnixMilli(begin+300), s.End)
		assert.Equal(t, wsevent.OutcomeDropped, s.Outcome)
		assert.Equal(t, int64(1006), s.CloseCode)
		assert.Equal(t, "transport.failure", s.CloseReason)
		assert.Equal(t, int64(1024), s.PayloadBytes)
		assert.Equal(t, 100*time.Millisecond, s.FirstReply)
		assert.True(t, s.Complete && s.Sampled && s.Pseudonym)
		assert.Len(t, s.UserID, 32)
		assert.NotContains(t, s.UserID, "jane")
		assert.Len(t, s.Events, 4)
		for _, logs := range sink.AllLogs()[:4] {
			record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			assert.Equal(t, pcommon.TraceID(s.TraceID), record.TraceID())
			assert.Equal(t, pcommon.SpanID(s.SpanID), record.SpanID())
		}
		windows := windows(t, sink)
		traces := windows[0].Traces()
		require.Len(t, traces, 1)
		assert.Equal(t, s.TraceID, traces[0].TraceID)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestSessions_UserIDOnlyWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{userNone: "", userFull: "jane@example.com"} {
		synctest.Test(t, func(t *testing.T) {
			sink := new(consumertest.LogsSink)
			config := followed()
			config.Sessions.UserID = mode
			p := start(t, config, sink)
			require.NoError(t, p.ConsumeLogs(t.Context(), ofUser(event(wsevent.ConnectionClose, "a"), "jane@example.com")))
			time.Sleep(20 * time.Second)
			require.NoError(t, p.Shutdown(t.Context()))
			found := sessions(t, sink)
			require.Len(t, found, 1)
			assert.Equal(t, want, found[0].UserID)
		})
	}
}

func TestSessions_TraceOfAnotherSenderStays(t *testing.T) {
	t.Parallel()
	sink := new(consumertest.LogsSink)
	p := start(t, followed(), sink)
	logs := event(wsevent.MessageSend, "a")
	logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetTraceID(pcommon.TraceID{1})
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	assert.Equal(t, pcommon.TraceID{1}, sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).TraceID())
	require.NoError(t, p.Shutdown(t.Context()))
}

func startFollowed(t *testing.T, d *owntest.Storage, next consumer.Logs) *windowProcessor {
	t.Helper()
	config := followed()
	config.Storage = &owntest.StorageID
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), config, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), owntest.NewHost(d)))
	return p
}

// A record that downstream has not accepted survives a kill, and is emitted once.
func TestSessions_WaitingRecordsSurviveAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusing := &owntest.LogsSink{Refuse: func(logs plog.Logs) error {
			if record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0); wslog.IsSession(record) || wslog.IsWindow(record) {
				return assert.AnError
			}
			return nil
		}}
		d := owntest.NewStorage()
		p := startFollowed(t, d, refusing)
		for _, name := range []string{wsevent.ConnectionOpen, wsevent.MessageSend, wsevent.ConnectionClose} {
			require.NoError(t, p.ConsumeLogs(t.Context(), event(name, "a")))
			time.Sleep(10 * time.Millisecond)
		}
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.ConnectionOpen, "b")))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		killed := d.Copy()
		assert.Empty(t, sessions(t, &refusing.LogsSink))
		require.NoError(t, p.Shutdown(t.Context()))

		after := new(consumertest.LogsSink)
		p = startFollowed(t, killed, after)
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.ConnectionClose, "b")))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		found := sessions(t, after)
		require.Len(t, found, 2)
		assert.Equal(t, "a", found[0].ChannelID)
		assert.Equal(t, int64(1), found[0].MessagesSent)
		assert.True(t, found[0].Complete)
		assert.Equal(t, "b", found[1].ChannelID)
		assert.False(t, found[1].Complete, "it was open while nothing was received")
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestSessions_MoveWithThePartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := new(logged)
		owner := func(sink *consumertest.LogsSink) *windowProcessor {
			p, err := newProcessor(processortest.NewNopSettings(metadata.Type), followed(), sink)
			require.NoError(t, err)
			require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
			return p
		}
		before, after := new(consumertest.LogsSink), new(consumertest.LogsSink)
		first, second := owner(before), owner(after)
		one := log.claim().catchUp()
		one.open(t, first)
		one.offer(t, first, 0, event(wsevent.ConnectionOpen, "a"), event(wsevent.MessageReceive, "a"))
		time.Sleep(5 * time.Second)
		one.leave(t.Context())
		require.NoError(t, first.Shutdown(t.Context()))

		two := log.claim().catchUp()
		two.open(t, second)
		two.offer(t, second, 2, event(wsevent.MessageSend, "a"), event(wsevent.ConnectionClose, "a"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		assert.Empty(t, sessions(t, before))
		found := sessions(t, after)
		require.Len(t, found, 1)
		assert.Equal(t, 5*time.Second, found[0].FirstReply)
		assert.Equal(t, int64(1024), found[0].PayloadBytes)
		assert.True(t, found[0].Complete)
		two.leave(t.Context())
		require.NoError(t, second.Shutdown(t.Context()))
	})
}

func TestSessions_PermanentlyRefusedRecordsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
			for _, resource := range logs.ResourceLogs().All() {
				if wslog.IsSession(resource.ScopeLogs().At(0).LogRecords().At(0)) {
					calls++
					return consumererror.NewPermanent(assert.AnError)
				}
			}
			return nil
		})
		require.NoError(t, err)
		p := start(t, followed(), next)
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.ConnectionClose, "a")))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, calls)
		assert.Zero(t, p.(*windowProcessor).own.waitingSessions())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestConsumeLogs_RefusedWhileTooManySessionsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // no tick of the shard comes in between
		sink := new(consumertest.LogsSink)
		p := start(t, followed(), sink).(*windowProcessor)
		synctest.Wait()
		p.own.sessions.records = make([]wsevent.Session, maxWaitingSessions)
		require.ErrorContains(t, p.ConsumeLogs(t.Context(), event(wsevent.MessageSend, "a")), "100000 session records wait for downstream")
		p.own.sessions.records = nil
		require.NoError(t, p.ConsumeLogs(t.Context(), event(wsevent.MessageSend, "a")))
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// Records whose events are in blocks, too, get the trace of their session, and are counted once.
func TestSessions_TraceOfRecordsBesideBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		p := start(t, followed(), sink)
		for _, name := range []string{wsevent.ConnectionOpen, wsevent.MessageReceive, wsevent.MessageSend, wsevent.ConnectionClose} {
			records := ofUser(event(name, "a"), "jane@example.com")
			both := owntest.Blocks(records)
			copied := both.ResourceLogs().At(0).ScopeLogs().AppendEmpty()
			records.ResourceLogs().At(0).ScopeLogs().At(0).CopyTo(copied)
			copied.Scope().Attributes().PutBool(wsevent.BlockCounted, true)
			require.NoError(t, p.ConsumeLogs(t.Context(), both))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		found := sessions(t, sink)
		require.Len(t, found, 1)
		assert.Equal(t, int64(1), found[0].MessagesSent)
		assert.Equal(t, int64(1), found[0].MessagesReceived)
		for _, logs := range sink.AllLogs()[:4] {
			scopes := logs.ResourceLogs().At(0).ScopeLogs()
			assert.True(t, scopes.At(0).LogRecords().At(0).TraceID().IsEmpty(), "a block is of many sessions")
			record := scopes.At(1).LogRecords().At(0)
			assert.Equal(t, pcommon.TraceID(found[0].TraceID), record.TraceID())
			assert.Equal(t, pcommon.SpanID(found[0].SpanID), record.SpanID())
		}
		require.NoError(t, p.Shutdown(t.Context()))
	})
}
