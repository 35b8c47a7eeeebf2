// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/eventstore"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

const protobufLogs = "application/x-protobuf"

func withEvents(t *testing.T) *Config {
	t.Helper()
	config := withStore(t)
	events := config.Events.GetOrInsertDefault()
	events.Directory = filepath.Join(t.TempDir(), "events")
	events.MinFreeBytes = 0
	return config
}

// logs is a request under construction, of one stream.
type logs struct{ plog.Logs }

func newLogs(tags wsevent.Tags) logs {
	l := plog.NewLogs()
	resource := l.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), tags)
	resource.Resource().Attributes().PutStr(wsevent.Platform, "genesys_cloud")
	resource.ScopeLogs().AppendEmpty()
	return logs{l}
}

func (l logs) add(typ string, at time.Time, channel string) plog.LogRecord {
	record := l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()
	record.SetEventName(typ)
	record.SetTimestamp(pcommon.NewTimestampFromTime(at))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(at.Add(40 * time.Millisecond)))
	if channel != "" {
		record.Attributes().PutStr(wsevent.ChannelID, channel)
	}
	return record
}

func (l logs) send(t *testing.T, r *running) (int, http.Header, string) {
	t.Helper()
	body, err := plogotlp.NewExportRequestFromLogs(l.Logs).MarshalProto()
	require.NoError(t, err)
	return r.do(t, http.MethodPost, "/api/v1/otlp/v1/logs", http.Header{"Content-Type": {protobufLogs}}, body)
}

func (r *running) events(t *testing.T, query string) (events []map[string]any, header http.Header) {
	t.Helper()
	code, header, body := r.do(t, http.MethodGet, "/api/v1/events?"+query, http.Header{}, nil)
	require.Equal(t, http.StatusOK, code, body)
	for line := range strings.Lines(body) {
		var event map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		events = append(events, event)
	}
	return events, header
}

var acme = wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"}

func between(from, to time.Time) string {
	return fmt.Sprintf("start=%d&end=%d", from.UnixMilli(), to.UnixMilli())
}

// A record of each kind is returned with all that it says.
func TestEvents_Records(t *testing.T) {
	t.Parallel()
	r := run(t, withEvents(t))
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	sent := newLogs(acme)
	closed := sent.add(wsevent.ConnectionClose, at, "c-1")
	closed.Attributes().PutStr(wsevent.UserID, "u-1")
	closed.Attributes().PutStr(wsevent.EventID, "e-1")
	closed.Attributes().PutInt(wsevent.CloseCode, 1006)
	closed.Attributes().PutStr(wsevent.CloseReason, "transport.failure")
	closed.Attributes().PutBool(wsevent.CloseAbnormal, true)
	closed.Attributes().PutBool(wsevent.ClockMisaligned, true)
	closed.Body().SetStr("{\"type\":\"connection.close\",\n\"text\":\"<\xff>\"}")
	message := sent.add(wsevent.MessageSend, at.Add(time.Second), "c-1")
	message.Attributes().PutInt(wsevent.PayloadSize, 512)
	gap := sent.add(wsevent.StreamGap, at.Add(2*time.Second), "")
	gap.Attributes().PutInt(wsevent.GapStart, at.UnixMilli())
	violation := sent.add(wsevent.ProtocolViolation, at.Add(3*time.Second), "")
	violation.Body().SetStr(strings.Repeat("é", maxEventBody))
	session := sent.add("ws_session", at.Add(4*time.Second), "")
	require.NoError(t, session.Body().SetEmptyMap().FromRaw(map[string]any{"channel_id": "c-1", "outcome": "dropped", "first_reply_ms": nil, "events": []any{map[string]any{"offset_ms": int64(5)}}}))
	sent.add(wsevent.ThroughputMetric, at, "").Body().SetEmptyMap()
	alerts := sent.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	alerts.SetEventName(wsevent.AlertFiring)
	alerts.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(5 * time.Second)))
	require.NoError(t, alerts.Body().SetEmptyMap().FromRaw(map[string]any{"tenant_id": "acme_corp", "region": "us-east-1", "value": 0.68}))
	code, _, body := sent.send(t, r)
	require.Equal(t, http.StatusOK, code, body)

	events, header := r.events(t, between(at, at.Add(time.Minute)))
	assert.Equal(t, "application/x-ndjson", header.Get("Content-Type"))
	assert.Empty(t, header.Get(nextCursor))
	require.Len(t, events, 6)
	assert.Equal(t, wsevent.AlertFiring, events[0]["type"])
	assert.Equal(t, "acme_corp", events[0]["tenant_id"])
	assert.Equal(t, map[string]any{"tenant_id": "acme_corp", "region": "us-east-1", "value": 0.68}, events[0]["body"])
	assert.Equal(t, map[string]any{"channel_id": "c-1", "outcome": "dropped", "first_reply_ms": nil, "events": []any{map[string]any{"offset_ms": 5.0}}}, events[1]["body"])
	assert.Equal(t, true, events[2]["body_truncated"])
	assert.LessOrEqual(t, len(events[2]["body"].(string)), maxEventBody+3)
	assert.Equal(t, map[string]any{wsevent.GapStart: float64(at.UnixMilli()), wsevent.Platform: "genesys_cloud"}, events[3]["attributes"])
	assert.InDelta(t, 512, events[4]["payload_size"], 0)
	assert.Equal(t, map[string]any{
		"timestamp": float64(at.UnixMilli()), "observed_timestamp": float64(at.UnixMilli() + 40), "type": wsevent.ConnectionClose,
		"tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "webmessaging", "channel_id": "c-1", "user_id": "u-1", "event_id": "e-1",
		"close_code": 1006.0, "close_reason": "transport.failure", "abnormal": true,
		"attributes": map[string]any{wsevent.ClockMisaligned: true, wsevent.Platform: "genesys_cloud"},
		"body":       "{\"type\":\"connection.close\",\n\"text\":\"<\uFFFD>\"}",
	}, events[5])

	for query, want := range map[string]int{
		"type=message.send": 1, "type=message.send&type=stream.gap": 2, "channel_id=c-1": 3, "tenant_id=other": 0, "abnormal=true": 1,
		"abnormal=false": 0, "region=us-east-1&channel_type=webmessaging": 5, "limit=2": 2, "type=": 6,
	} {
		events, _ = r.events(t, between(at, at.Add(time.Minute))+"&"+query)
		assert.Len(t, events, want, query)
	}
	events, _ = r.events(t, "start="+at.Format(time.RFC3339)+"&end="+at.Add(time.Second).Format(time.RFC3339)) // in UTC or with an escaped zone
	assert.Len(t, events, 1)

	events, header = r.events(t, between(at, at.Add(time.Minute))+"&limit=4")
	require.Len(t, events, 4)
	rest, header := r.events(t, between(at, at.Add(time.Minute))+"&limit=4&cursor="+header.Get(nextCursor))
	assert.Len(t, rest, 2)
	assert.Empty(t, header.Get(nextCursor))
}

// The events of a block are stored one by one; where they are there as records, too, those are.
func TestEvents_Blocks(t *testing.T) {
	t.Parallel()
	r := run(t, withEvents(t))
	at := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	var builder eventblock.Builder
	for i, event := range []eventblock.Event{
		{Kind: eventblock.ConnectionOpen, ChannelID: []byte("c-1"), UserID: []byte("u-1")},
		{Kind: eventblock.MessageSend, Sized: true, Size: 512},
		{Kind: eventblock.ConnectionClose, ChannelID: []byte("c-1"), HasCode: true, CloseCode: 1006, CloseReason: []byte("error"), Class: eventblock.Abnormal},
	} {
		event.Time, event.Observed = at.Add(time.Duration(i)*time.Second).UnixNano(), at.UnixNano()
		event.Channel = eventblock.HashString("c-1")
		builder.Add(&event)
	}
	sent := newLogs(acme)
	wslog.PutBlock(sent.add("", at, ""), &builder, nil)
	sent.add(wsevent.EventBlock, at.Add(9*time.Second), "").Body().SetStr("damaged")
	code, _, _ := sent.send(t, r)
	require.Equal(t, http.StatusOK, code)
	events, _ := r.events(t, between(at, at.Add(time.Minute)))
	require.Len(t, events, 4)
	assert.Equal(t, wsevent.EventBlock, events[0]["type"])
	assert.Equal(t, []any{wsevent.ConnectionClose, "c-1", true, 1006.0, "error"},
		[]any{events[1]["type"], events[1]["channel_id"], events[1]["abnormal"], events[1]["close_code"], events[1]["close_reason"]})
	assert.Equal(t, []any{wsevent.MessageSend, 512.0}, []any{events[2]["type"], events[2]["payload_size"]})
	assert.Contains(t, events[2]["attributes"], channelHash)
	assert.Equal(t, []any{wsevent.ConnectionOpen, "u-1"}, []any{events[3]["type"], events[3]["user_id"]})

	both := newLogs(acme)
	wslog.PutBlock(both.add("", at, ""), &builder, nil)
	counted := both.ResourceLogs().At(0).ScopeLogs().AppendEmpty()
	counted.Scope().Attributes().PutBool(wsevent.BlockCounted, true)
	counted.LogRecords().AppendEmpty().SetEventName(wsevent.MessageReceive)
	batch, tooLarge := eventsOf(both.Logs, at)
	assert.Equal(t, 1, batch.Len())
	assert.Empty(t, tooLarge)
}

// Equal events of one frame are as many as they were, as records and in blocks; those of a request that is sent twice
// are returned once, and equal ones of another request are others.
func TestEvents_EqualEvents(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(logs, time.Time, time.Time){
		"records": func(l logs, at, observed time.Time) {
			for range 10 {
				l.add(wsevent.MessageSend, at, "c-1").SetObservedTimestamp(pcommon.NewTimestampFromTime(observed))
			}
		},
		"blocks": func(l logs, at, observed time.Time) {
			var builder eventblock.Builder
			for range 10 {
				builder.Add(&eventblock.Event{Kind: eventblock.MessageSend, Channel: eventblock.HashString("c-1"), Time: at.UnixNano(), Observed: observed.UnixNano()})
			}
			wslog.PutBlock(l.add("", at, ""), &builder, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, withEvents(t))
			at := time.Now().Add(-time.Minute).Truncate(time.Second)
			count := func() int {
				events, _ := r.events(t, between(at, at.Add(time.Second)))
				_, summary := r.get(t, "/api/v1/events/summary?"+between(at, at.Add(time.Second)))
				assert.Contains(t, summary, fmt.Sprintf(`{"events":%d,`, len(events)))
				return len(events)
			}
			first, second := newLogs(acme), newLogs(acme)
			fill(first, at, at.Add(40*time.Millisecond))
			fill(second, at, at.Add(40*time.Millisecond+10*time.Microsecond)) // the same ms
			for _, step := range []struct {
				sent logs
				want int
			}{{first, 10}, {first, 10}, {second, 20}, {second, 20}, {first, 20}} {
				code, _, _ := step.sent.send(t, r)
				require.Equal(t, http.StatusOK, code)
				assert.Equal(t, step.want, count())
			}
			twice := newLogs(wsevent.Tags{TenantID: "twice", Region: "eu", ChannelType: "web"})
			fill(twice, at, at)
			twice.ResourceLogs().At(0).CopyTo(twice.ResourceLogs().AppendEmpty()) // two batches that a batcher has joined
			for range 2 {
				code, _, _ := twice.send(t, r)
				require.Equal(t, http.StatusOK, code)
				assert.Equal(t, 40, count())
			}
		})
	}
}

// An event with an id is one event, whichever batch it comes in; a time of arrival that is none is left out.
func TestEvents_IdentifiedAndUnobserved(t *testing.T) {
	t.Parallel()
	r := run(t, withEvents(t))
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	for i := range 3 {
		sent := newLogs(acme)
		record := sent.add(wsevent.MessageSend, at, "c-1")
		record.Attributes().PutStr(wsevent.EventID, "e-1")
		record.SetObservedTimestamp(1 << 63)
		for range i {
			sent.add(wsevent.MessageReceive, at.Add(time.Hour), "c-2")
		}
		code, _, _ := sent.send(t, r)
		require.Equal(t, http.StatusOK, code)
	}
	events, _ := r.events(t, between(at, at.Add(time.Second)))
	require.Len(t, events, 1)
	assert.NotContains(t, events[0], "observed_timestamp")
}

// Everything that is wrong with a request is refused before anything is read.
func TestEvents_BadRequests(t *testing.T) {
	t.Parallel()
	r := run(t, withEvents(t))
	now := time.Now()
	hour := between(now.Add(-time.Hour), now)
	for query, message := range map[string]string{
		"":                                   "start: is required",
		"start=1":                            "end: is required",
		"start=yesterday&end=1":              `start: \"yesterday\": must be unix milliseconds or RFC 3339`,
		"start=-1&end=5":                     "start:",
		"start=5&end=5":                      "end: must be after start",
		"start=0&end=99999999999999":         "end:",
		between(now.Add(-26*time.Hour), now): "apart, at most 25h0m0s",
		hour + "&limit=0":                    "limit:",
		hour + "&limit=10001":                "limit:",
		hour + "&limit=x":                    "limit:",
		hour + "&abnormal=maybe":             "abnormal:",
		hour + "&cursor=xyz":                 "cursor: not a cursor",
		hour + "&tenant=acme":                "tenant",
		hour + "&region=a&region=b":          "region: given 2 times",
		hour + "&channel_id=" + strings.Repeat("x", 2000): "channel_id: longer",
		hour + strings.Repeat("&type=a", 21):              "type: more than 20",
	} {
		for _, path := range []string{"/api/v1/events?", "/api/v1/events/summary?"} {
			code, body := r.get(t, path+query)
			if strings.HasPrefix(path, "/api/v1/events/") && (strings.Contains(query, "limit") || strings.Contains(query, "cursor")) {
				continue
			}
			assert.Equal(t, http.StatusBadRequest, code, query)
			assert.Contains(t, body, message, query)
		}
	}
	code, _ := r.get(t, "/api/v1/channels/"+strings.Repeat("x", 2000))
	assert.Equal(t, http.StatusBadRequest, code)
	code, _ = r.get(t, "/api/v1/channels/unknown")
	assert.Equal(t, http.StatusNotFound, code)
	for kind, body := range map[string]string{protobufLogs: "\xff", "application/json": "{", "text/plain": "x", "": "x"} {
		code, _, _ := r.do(t, http.MethodPost, "/api/v1/otlp/v1/logs", http.Header{"Content-Type": {kind}}, []byte(body))
		assert.Equal(t, http.StatusBadRequest, code, kind)
	}
	many := newLogs(acme)
	record := many.add("x", now, "")
	for i := range 200 {
		record.Attributes().PutInt(strconv.Itoa(i), 1)
	}
	code, _, _ = many.send(t, r)
	assert.Equal(t, http.StatusRequestEntityTooLarge, code)
	code, _, _ = r.do(t, http.MethodGet, "/api/v1/events?"+hour, http.Header{"Host": {"attacker.example"}}, nil)
	assert.Equal(t, http.StatusMisdirectedRequest, code)
	code, _, _ = r.do(t, http.MethodGet, "/api/v1/events?"+hour, http.Header{"Sec-Fetch-Site": {"cross-site"}}, nil)
	assert.Equal(t, http.StatusForbidden, code)
}

// A conversation is its events, oldest first, with the gaps of its stream.
func TestEvents_Channel(t *testing.T) {
	t.Parallel()
	r := run(t, withEvents(t))
	at := time.Now().Add(-time.Minute)
	sent := newLogs(acme)
	sent.add(wsevent.StreamAlive, at.Add(-time.Second), "")
	for i, typ := range []string{wsevent.ConnectionOpen, wsevent.MessageSend, wsevent.MessageReceive, wsevent.ConnectionClose} {
		sent.add(typ, at.Add(time.Duration(10*i)*time.Second), "a/b c")
		sent.add(typ, at.Add(time.Duration(10*i)*time.Second), "other")
	}
	code, _, _ := sent.send(t, r)
	require.Equal(t, http.StatusOK, code)
	read := func() (c conversation) {
		code, body := r.get(t, "/api/v1/channels/a%2Fb%20c")
		require.Equal(t, http.StatusOK, code, body)
		require.NoError(t, json.Unmarshal([]byte(body), &c))
		return c
	}
	entire := read()
	require.Len(t, entire.Events, 4)
	assert.Contains(t, string(entire.Events[0]), wsevent.ConnectionOpen)
	assert.Contains(t, string(entire.Events[3]), wsevent.ConnectionClose)
	assert.True(t, entire.Complete)
	assert.Empty(t, entire.Gaps)

	later := newLogs(acme)
	for start, end := range map[time.Duration]time.Duration{15 * time.Second: 25 * time.Second, 40 * time.Second: 45 * time.Second} {
		gap := later.add(wsevent.StreamGap, at.Add(end), "")
		gap.Attributes().PutInt(wsevent.GapStart, at.Add(start).UnixMilli())
		gap.Attributes().PutInt(wsevent.GapEnd, at.Add(end).UnixMilli())
	}
	code, _, _ = later.send(t, r)
	require.Equal(t, http.StatusOK, code)
	withGap := read()
	assert.Len(t, withGap.Gaps, 1)
	assert.False(t, withGap.Complete)
}

// What is not stored for good is a partial success and counted; what may be stored later is refused with Retry-After.
func TestEvents_NotStored(t *testing.T) {
	t.Parallel()
	config := withEvents(t)
	r := run(t, config)
	now := time.Now()
	sent := newLogs(acme)
	sent.add(wsevent.MessageSend, now.Add(-25*time.Hour), "c")
	sent.add(wsevent.MessageSend, now, "c")
	large := sent.add(wsevent.MessageSend, now, "c")
	large.Attributes().PutStr("large", strings.Repeat("x", eventstore.MaxEvent))
	code, _, body := sent.send(t, r)
	require.Equal(t, http.StatusOK, code)
	response := plogotlp.NewExportResponse()
	require.NoError(t, response.UnmarshalProto([]byte(body)))
	assert.Equal(t, int64(2), response.PartialSuccess().RejectedLogRecords())
	assert.Equal(t, "1 events are not stored: 1 too_old 1 events are larger than an event may be", response.PartialSuccess().ErrorMessage())
	code, summary := r.get(t, "/api/v1/events/summary?"+between(now.Add(-time.Minute), now.Add(time.Minute)))
	require.Equal(t, http.StatusOK, code)
	assert.Contains(t, summary, `"lost":{"too_large":1}`)
	assert.Contains(t, summary, `"complete":false`)

	r.dashboard.events = failing{r.dashboard.events, &eventstore.Unavailable{Reason: eventstore.Overload, Err: errors.New("busy")}}
	code, header, body := sent.send(t, r)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "1", header.Get("Retry-After"))
	assert.Contains(t, body, "busy")
}

type failing struct {
	eventStore

	err error
}

func (f failing) Append(context.Context, *eventstore.Batch) error { return f.err }

// A full disk stops events, not metrics, and the component says so.
func TestEvents_FullDiskLeavesMetrics(t *testing.T) {
	t.Parallel()
	config := withEvents(t)
	config.Events.Get().MinFreeBytes = 1 << 60
	r := run(t, config)
	event := r.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), "events: ")
	sent := newLogs(acme)
	sent.add(wsevent.MessageSend, time.Now(), "c")
	code, _, _ := sent.send(t, r)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	code, _, _ = r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{"Content-Type": {"application/json"}}, otlpJSON("ws.drop_rate", time.Now(), 1))
	assert.Equal(t, http.StatusOK, code)
	code, _ = r.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, code)
}

// Erasing is off unless there is a token, and needs it.
func TestEvents_Erase(t *testing.T) {
	t.Parallel()
	off := run(t, withEvents(t))
	code, _, body := off.do(t, http.MethodDelete, "/api/v1/events?channel_id=c", http.Header{"Authorization": {"Bearer "}}, nil)
	assert.Equal(t, http.StatusForbidden, code)
	assert.Contains(t, body, "events::erase_token")

	config := withEvents(t)
	config.Events.Get().EraseToken = "0123456789abcdef"
	r := run(t, config)
	at := time.Now().Add(-time.Minute)
	sent := newLogs(acme)
	for i := range 10 {
		sent.add(wsevent.MessageSend, at.Add(time.Duration(i)*time.Second), []string{"person", "other"}[i%2])
	}
	code, _, _ = sent.send(t, r)
	require.Equal(t, http.StatusOK, code)
	for _, header := range []http.Header{{}, {"Authorization": {"Bearer wrong"}}, {"Authorization": {"Bearer "}}, {eraseToken: {"0123456789abcdeF"}}} {
		code, _, body := r.do(t, http.MethodDelete, "/api/v1/events?channel_id=person", header, nil)
		assert.Equal(t, http.StatusUnauthorized, code)
		assert.NotContains(t, body, "0123456789abcdef")
	}
	good := http.Header{"Authorization": {"Bearer 0123456789abcdef"}}
	for _, query := range []string{"", "channel_id=", "channel_id=a&channel_id=b", "channel_id=person&tenant_id=x"} {
		code, _, _ := r.do(t, http.MethodDelete, "/api/v1/events?"+query, good, nil)
		assert.Equal(t, http.StatusBadRequest, code, query)
	}
	code, _, body = r.do(t, http.MethodDelete, "/api/v1/events?channel_id=person", good, nil)
	require.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"events":5`)
	assert.Contains(t, body, `"finished":true`)
	events, _ := r.events(t, between(at, time.Now()))
	assert.Len(t, events, 5)
	code, _ = r.get(t, "/api/v1/channels/person")
	assert.Equal(t, http.StatusNotFound, code)
	code, _, body = r.do(t, http.MethodDelete, "/api/v1/events?channel_id=other", http.Header{eraseToken: {"0123456789abcdef"}}, nil)
	require.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"events":5`)
	require.NoError(t, filepath.WalkDir(config.Events.Get().Directory, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		assert.NotContains(t, string(content), "person", path)
		return err
	}))
}

// Without a store of events the API says how to configure one.
func TestEvents_Off(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	for _, path := range []string{"/api/v1/events?start=1&end=2", "/api/v1/events/summary", "/api/v1/channels/c"} {
		code, body := r.get(t, path)
		assert.Equal(t, http.StatusNotFound, code)
		assert.Contains(t, body, "events::directory", path)
	}
	code, _, _ := newLogs(acme).send(t, r)
	assert.Equal(t, http.StatusNotFound, code)
}

// Two processes cannot have the same events.
func TestEvents_DirectoryInUse(t *testing.T) {
	t.Parallel()
	config := withEvents(t)
	run(t, config)
	other := withEvents(t)
	other.Events.Get().Directory = config.Events.Get().Directory
	d, err := newDashboard(extensiontest.NewNopSettings(metadata.Type), other)
	require.NoError(t, err)
	err = d.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "events::directory: ")
	require.ErrorContains(t, err, "another process has this store open")
	require.NoError(t, d.Shutdown(t.Context()))
}

// FuzzEvents stores whatever a request decodes to, as one line of valid JSON.
func FuzzEvents(f *testing.F) {
	l := newLogs(acme)
	record := l.add(wsevent.ConnectionClose, time.Unix(1_700_000_000, 0), "c")
	record.Attributes().PutInt(wsevent.CloseCode, 1006)
	record.Attributes().PutStr("odd \xff \u2028", "\x00")
	record.Attributes().PutDouble("number", math.Inf(1))
	record.Body().SetEmptyMap().PutDouble("nan", math.NaN())
	body, err := plogotlp.NewExportRequestFromLogs(l.Logs).MarshalProto()
	require.NoError(f, err)
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := decodeLogs(protobufLogs, body)
		if err != nil {
			return
		}
		encoder := eventEncoder{now: 1}
		for _, resource := range request.Logs().ResourceLogs().All() {
			encoder.resource(resource.Resource().Attributes())
			for _, scope := range resource.ScopeLogs().All() {
				encoder.scope = scope.Scope().Attributes()
				for _, record := range scope.LogRecords().All() {
					event := encoder.event(record)
					require.True(t, json.Valid(event.JSON), "%s", event.JSON)
					require.NotContains(t, string(event.JSON), "\n")
					require.GreaterOrEqual(t, event.Time, int64(0))
				}
			}
		}
	})
}

func BenchmarkEventsOf(b *testing.B) {
	l := newLogs(acme)
	for i := range 500 {
		record := l.add(wsevent.MessageSend, time.Unix(1_700_000_000, int64(i)), "0b6d0f0e-8a3e-4e0e-9f0a-3d5a7d9c1b2f")
		record.Attributes().PutStr(wsevent.UserID, "user-17")
		record.Attributes().PutStr(wsevent.EventID, "000000000000a1b2")
		record.Attributes().PutInt(wsevent.PayloadSize, 512)
		record.Body().SetStr(`{"type":"message.send","timestamp":1715623400123,"channelId":"0b6d0f0e-8a3e-4e0e-9f0a-3d5a7d9c1b2f","userId":"user-17","region":"us-east-1","tenantId":"acme_corp","channelType":"webmessaging","payloadSize":512,"id":"000000000000a1b2"}`)
	}
	body, err := plogotlp.NewExportRequestFromLogs(l.Logs).MarshalProto()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		request, err := decodeLogs(protobufLogs, body)
		require.NoError(b, err)
		batch, _ := eventsOf(request.Logs(), time.Now())
		require.Equal(b, 500, batch.Len())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/event")
}
