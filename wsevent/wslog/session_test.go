// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wslog

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func span(n byte) wsevent.SpanContext {
	return wsevent.SpanContext{TraceID: wsevent.TraceID{n, 15: n}, SpanID: wsevent.SpanID{n, 7: n}}
}

func aSession() wsevent.Session {
	return wsevent.Session{
		Tags:        wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"},
		SpanContext: span(2), ID: span(1).TraceID, ChannelID: "c-1", UserID: "0badc0de", Pseudonym: true,
		Start: 1_715_623_400_000, End: 1_715_627_400_000, Outcome: wsevent.OutcomeDropped, CloseCode: 1006, CloseCodeKnown: true, CloseReason: "transport.failure",
		MessagesSent: 3, MessagesReceived: 2, PayloadBytes: 500, PayloadKnown: true, FirstReply: 1500 * time.Millisecond, FirstReplyKnown: true,
		Complete:  true,
		Events:    []wsevent.SessionEvent{{Offset: 0, Type: wsevent.ConnectionOpen}, {Offset: 4_000 * time.Second, Type: wsevent.ConnectionClose}},
		Sampled:   true,
		Segmented: true, Segment: 1, SegmentStart: 1_715_627_000_000, Earlier: []wsevent.SpanContext{span(1)},
		TraceState: "ot=th:8", ReconnectOf: span(9),
	}
}

func encodedSession(t *testing.T, s wsevent.Session) (plog.LogRecord, pcommon.Map) {
	t.Helper()
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	PutTags(resource.Resource().Attributes(), s.Tags)
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	EncodeSession(record, &s)
	return record, resource.Resource().Attributes()
}

// The body is a contract: other people's queries read it.
func TestTheBodyOfASessionRecord(t *testing.T) {
	t.Parallel()
	record, _ := encodedSession(t, aSession())
	assert.Equal(t, "ws_session", record.EventName())
	assert.Equal(t, pcommon.Timestamp(1_715_627_400_000_000_000), record.Timestamp())
	assert.Equal(t, pcommon.TraceID(span(2).TraceID), record.TraceID())
	body, err := json.Marshal(record.Body().AsRaw())
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"session_id": "01000000000000000000000000000001", "channel_id": "c-1", "user_pseudo_id": "0badc0de",
		"start": 1715623400000, "end": 1715627400000, "outcome": "dropped", "close_code": 1006, "close_reason": "transport.failure",
		"messages_sent": 3, "messages_received": 2, "payload_bytes": 500, "first_reply_ms": 1500, "complete": true,
		"events": [{"offset_ms": 0, "type": "connection.open"}, {"offset_ms": 4000000, "type": "connection.close"}],
		"trace_id": "02000000000000000000000000000002", "span_id": "0200000000000002", "tracestate": "ot=th:8", "sampled": true,
		"segment": 1, "segment_start": 1715627000000,
		"segments": [{"trace_id": "01000000000000000000000000000001", "span_id": "0100000000000001"}],
		"reconnect_of": "09000000000000000000000000000009", "reconnect_of_span": "0900000000000009"
	}`, string(body))
}

func TestSession_UnknownIsNullOrAbsent(t *testing.T) {
	t.Parallel()
	record, _ := encodedSession(t, wsevent.Session{SpanContext: span(1), ID: span(1).TraceID, Start: 1, End: 2, Outcome: wsevent.OutcomeClosed})
	body := record.Body().Map().AsRaw()
	for _, key := range []string{wsevent.KeyPayloadBytes, wsevent.KeyFirstReply} {
		value, present := body[key]
		assert.True(t, present && value == nil, key)
	}
	for _, key := range []string{wsevent.KeyChannelID, wsevent.KeyUserID, wsevent.KeyCloseCode, wsevent.KeySegment, wsevent.KeyReconnectOf} {
		assert.NotContains(t, body, key)
	}
}

// A code of 0 that was sent is not one that was not.
func TestSession_CloseCodeOfZeroIsKept(t *testing.T) {
	t.Parallel()
	want := aSession()
	want.CloseCode = 0
	record, resource := encodedSession(t, want)
	assert.Equal(t, int64(0), record.Body().Map().AsRaw()[wsevent.KeyCloseCode])
	got, err := DecodeSession(record, resource)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestDecodeSession_IsTheInverse(t *testing.T) {
	t.Parallel()
	want := aSession()
	record, resource := encodedSession(t, want)
	got, err := DecodeSession(record, resource)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestDecodeSession_Refuses(t *testing.T) {
	t.Parallel()
	for key, value := range map[string]any{
		"trace_id": "zz", "span_id": nil, "start": "x", "end": int64(1), "outcome": "other",
	} {
		record, resource := encodedSession(t, aSession())
		if value == nil {
			record.Body().Map().Remove(key)
		} else {
			v, _ := record.Body().Map().Get(key)
			require.NoError(t, v.FromRaw(value))
		}
		_, err := DecodeSession(record, resource)
		require.ErrorContains(t, err, key)
	}
}

func withSessions() wsevent.Window {
	w := aWindow()
	w.SessionsKnown, w.SessionsSince = true, w.Since
	w.Counts.ConnectionsReopened, w.Totals.ConnectionsReopened = 1, 2
	dropped := wsevent.Exemplar{SpanContext: span(3), Time: w.End - 1, Outcome: wsevent.OutcomeDropped, Duration: 2 * time.Second, FirstReply: time.Second, Replied: true}
	w.Dropped, w.Exemplars = []wsevent.Exemplar{dropped}, []wsevent.Exemplar{dropped}
	w.Sessions = []wsevent.SessionTotals{{
		Outcome:    wsevent.OutcomeDropped,
		Duration:   wsevent.Histogram{Count: 3, Zero: 1, Sum: 2001, First: -3, Buckets: []uint64{1, 0, 1}},
		FirstReply: wsevent.Histogram{Count: 1, Sum: 1000, First: -1, Buckets: []uint64{1}},
	}}
	return w
}

func TestWindow_SessionsAreDecoded(t *testing.T) {
	t.Parallel()
	want := withSessions()
	decoded, err := DecodeRecord(encoded(want))
	require.NoError(t, err)
	assert.Equal(t, want.Dropped, decoded.Traces())
	sessions, ok, err := decoded.Sessions()
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, Sessions{Since: want.Since, Totals: want.Sessions, Exemplars: want.Exemplars}, sessions)
	reopened, ok := Int(decoded.Totals, wsevent.FieldConnectionsReopened)
	assert.True(t, ok)
	assert.Equal(t, int64(2), reopened)

	decoded, err = DecodeRecord(encoded(aWindow()))
	require.NoError(t, err)
	_, ok, err = decoded.Sessions()
	require.NoError(t, err)
	assert.False(t, ok)
	assert.NotContains(t, decoded.Fields.AsRaw(), wsevent.FieldConnectionsReopened, "unknown is absent")
}

func TestWindow_SessionsThatDoNotAddUpAreRefused(t *testing.T) {
	t.Parallel()
	bad := withSessions()
	bad.Sessions[0].Duration.Count = 7
	decoded, err := DecodeRecord(encoded(bad))
	require.NoError(t, err)
	_, _, err = decoded.Sessions()
	require.ErrorContains(t, err, "sessions::outcomes::dropped::duration: count 7 is not the sum of its buckets, 3")
}

// Whatever a record says, it is read as a session or refused.
func FuzzDecodeSession(f *testing.F) {
	logs := plog.NewLogs()
	session, window := aSession(), withSessions()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	EncodeSession(records.AppendEmpty(), &session)
	EncodeWindow(records.AppendEmpty(), &window)
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if s, err := DecodeSession(record, resource.Resource().Attributes()); err == nil {
						assert.GreaterOrEqual(t, s.End, s.Start)
						assert.LessOrEqual(t, len(s.Events), maxListed)
					}
					if decoded, err := DecodeRecord(record); err == nil {
						_, _, _ = decoded.Sessions()
						_ = decoded.Traces()
					}
				}
			}
		}
	})
}
