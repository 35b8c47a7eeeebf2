// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var arrival = time.Date(2024, time.May, 13, 18, 3, 20, 0, time.UTC)

func recordsFor(change func(*recordSettings)) *records {
	set := recordSettings{
		encoding: encodingRecords, platform: "genesys_cloud", tenant: "acme_corp", region: "eu-west-1", raw: "full", userID: "plain", version: "1.2.3",
		abnormalReasons: []string{"transport.failure", "error"},
		limits:          jsonevent.Limits{Dimension: 128, ID: 512}, maxPayloadSize: 1 << 30,
	}
	if change != nil {
		change(&set)
	}
	r := newRecords(set)
	r.arriving(arrival)
	return r
}

func TestPayloadSizeOfWhat(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"payloadSize":512}`)
	for size, want := range map[string]map[jsonevent.Type]any{
		"event":  {jsonevent.MessageSend: int64(512), jsonevent.ConnectionOpen: int64(512)},
		"text":   {jsonevent.MessageSend: int64(512), jsonevent.ConnectionOpen: int64(512)}, // the decoder has measured
		"object": {jsonevent.MessageReceive: int64(len(raw)), jsonevent.ConnectionClose: nil},
		"none":   {jsonevent.MessageSend: nil, jsonevent.ConnectionOpen: nil},
	} {
		r := recordsFor(func(set *recordSettings) { set.payloadSize = size })
		for kind, bytes := range want {
			r.event(&jsonevent.Event{Type: kind, PayloadSize: 512, HasPayloadSize: true, Raw: raw})
			assert.Equal(t, bytes, recordsOf(r.take())[0].Attributes().AsRaw()[wsevent.PayloadSize], "%s %d", size, kind)
		}
	}
}

func TestReconstructedEventRecord(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1715623400123)
	for name, test := range map[string]struct {
		event jsonevent.Event
		want  map[string]any
	}{
		"open before": {
			jsonevent.Event{Type: jsonevent.ConnectionOpen, Opened: at.Add(-time.Hour).UnixNano()},
			map[string]any{"ccaas.event.reconstructed": true, "ccaas.channel.opened": at.Add(-time.Hour).UnixMilli()},
		},
		"open before, since when is not known": {
			jsonevent.Event{Type: jsonevent.ConnectionOpen}, map[string]any{"ccaas.event.reconstructed": true},
		},
		"closed": {
			jsonevent.Event{Type: jsonevent.ConnectionClose, CloseReason: []byte("error")},
			map[string]any{"ccaas.event.reconstructed": true, "ccaas.close.reason": "error", "ccaas.close.abnormal": true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recordsFor(nil)
			test.event.Reconstructed, test.event.Time, test.event.ChannelID = true, at.UnixNano(), []byte("c-1")
			test.want["ccaas.channel.id"] = "c-1"
			r.event(&test.event)
			record := recordsOf(r.take())[0]
			assert.Equal(t, test.want, record.Attributes().AsRaw())
			assert.Equal(t, pcommon.ValueTypeEmpty, record.Body().Type(), "no object was received")
		})
	}
}

func TestEventRecord(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	raw := []byte(`{"type":"message.send"}`)
	r.event(&jsonevent.Event{
		Type: jsonevent.MessageSend, Time: 1715623400123456789, ChannelID: []byte("c-1"), UserID: []byte("u-1"), ID: []byte("e-1"),
		TenantID: []byte("globex"), Region: []byte("us-east-1"), ChannelType: []byte("voice"),
		PayloadSize: 512, HasPayloadSize: true, Raw: raw,
	})
	copy(raw, "overwritten by the next frame")

	logs := r.take()
	require.Equal(t, 1, logs.ResourceLogs().Len())
	resource := logs.ResourceLogs().At(0)
	assert.Equal(t, map[string]any{
		"ccaas.platform": "genesys_cloud", "tenant_id": "globex", "region": "us-east-1", "channel_type": "voice",
	}, resource.Resource().Attributes().AsRaw())
	require.Equal(t, 1, resource.ScopeLogs().Len())
	assert.Equal(t, metadata.ScopeName, resource.ScopeLogs().At(0).Scope().Name())
	assert.Equal(t, "1.2.3", resource.ScopeLogs().At(0).Scope().Version())
	record := resource.ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, wsevent.MessageSend, record.EventName())
	assert.Equal(t, pcommon.Timestamp(1715623400123456789), record.Timestamp())
	assert.Equal(t, arrival, record.ObservedTimestamp().AsTime())
	assert.Equal(t, `{"type":"message.send"}`, record.Body().Str()) //nolint:testifylint // to the byte
	assert.Equal(t, map[string]any{
		"ccaas.channel.id": "c-1", "ccaas.user.id": "u-1", "ccaas.event.id": "e-1", "ccaas.payload.size": int64(512),
	}, record.Attributes().AsRaw())
}

func TestBareEventRecord(t *testing.T) {
	t.Parallel()
	r := recordsFor(func(s *recordSettings) { s.raw, s.tenant, s.region = rawNone, "", "" })
	r.event(&jsonevent.Event{Type: jsonevent.MessageReceive, ChannelID: []byte("c-1"), Raw: []byte(`{}`)})
	record := recordsOf(r.take())[0]
	assert.Equal(t, []string{"unknown", "unknown", "unknown"}, []string{record.tenant, record.region, record.channelType})
	assert.Equal(t, pcommon.ValueTypeEmpty, record.Body().Type())
	assert.Equal(t, map[string]any{"ccaas.channel.id": "c-1"}, record.Attributes().AsRaw())
}

func TestCloseAbnormal(t *testing.T) {
	t.Parallel()
	code := func(code int64, reason string) *jsonevent.Event {
		return &jsonevent.Event{Type: jsonevent.ConnectionClose, HasCloseCode: true, CloseCode: code, CloseReason: []byte(reason)}
	}
	reason := func(reason string) *jsonevent.Event {
		return &jsonevent.Event{Type: jsonevent.ConnectionClose, CloseReason: []byte(reason)}
	}
	for _, test := range []struct {
		event *jsonevent.Event
		want  string // empty: unknown, and the attribute is absent
	}{
		{code(1000, ""), "false"},
		{code(1001, ""), "false"},
		{code(1000, "error"), "false"},
		{code(1006, ""), "true"},
		{code(1011, "endpoint"), "true"},
		{code(1006, "transfer"), "true"},
		{code(0, ""), "true"},
		{reason("endpoint"), "false"},
		{reason("transport.failure"), "true"},
		{reason("transportFailure"), "true"},
		{reason("TRANSPORT_FAILURE"), "true"},
		{reason("Transport-Failure"), "true"},
		{reason("transport failure"), "true"},
		{reason("failure.transport"), "true"},
		{reason("failureTransport"), "true"},
		{reason("ERROR"), "true"},
		{reason("error."), "true"},
		{reason("errors"), "false"},
		{reason("transport"), "false"},
		{reason("transfer"), "false"},
		{reason("transfer.conference"), "false"},
		{reason("conferenceTransfer"), "false"},
		{reason("CONFERENCE_TRANSFER"), "false"},
		{reason("takeover"), "false"},
		{reason("INACTIVITY"), "false"},
		{reason(strings.Repeat("error", 100)), "false"},
		{reason(""), ""},
		{reason("unset"), ""},
		{reason("UNKNOWN"), ""},
		{reason(" "), ""},
	} {
		r := recordsFor(nil)
		r.event(test.event)
		value, ok := recordsOf(r.take())[0].Attributes().Get(wsevent.CloseAbnormal)
		assert.Equal(t, test.want != "", ok, "%s", test.event.CloseReason)
		if ok {
			assert.Equal(t, test.want, strconv.FormatBool(value.Bool()), "%+v", test.event)
		}
	}
}

func TestRecords_SizesOutOfRange(t *testing.T) {
	t.Parallel()
	for size, dropped := range map[int64]bool{0: false, 1 << 30: false, 1<<30 + 1: true, math.MaxInt64: true, -1: true} {
		r := recordsFor(nil)
		event := &jsonevent.Event{PayloadSize: size, HasPayloadSize: true, UserID: []byte("u")}
		_, rejected := r.event(event)
		assert.Nil(t, rejected)
		_, sized := recordsOf(r.take())[0].Attributes().Get(wsevent.PayloadSize)
		assert.Equal(t, dropped, !sized, size)
		assert.Equal(t, dropped, event.FieldErrors == jsonevent.PayloadSizeError, size)
	}
}

func TestRecords_IdentifiersOutOfRange(t *testing.T) {
	t.Parallel()
	text := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	for name, test := range map[string]struct {
		event *jsonevent.Event
		want  string
	}{
		"longest":             {&jsonevent.Event{TenantID: text(128), Region: text(128), ChannelType: text(128), ChannelID: text(512), UserID: text(512), ID: text(512)}, ""},
		"tenant_id":           {&jsonevent.Event{TenantID: text(129)}, "field_too_long tenant_id: 129 bytes, more than 128"},
		"region":              {&jsonevent.Event{Region: text(129)}, "field_too_long region: 129 bytes, more than 128"},
		"channel_type":        {&jsonevent.Event{ChannelType: text(900_000)}, "field_too_long channel_type: 900000 bytes, more than 128"},
		"channel_id":          {&jsonevent.Event{ChannelID: text(513)}, "field_too_long channel_id: 513 bytes, more than 512"},
		"user_id":             {&jsonevent.Event{UserID: text(513)}, "field_too_long user_id: 513 bytes, more than 512"},
		"id":                  {&jsonevent.Event{ID: text(513)}, "field_too_long id: 513 bytes, more than 512"},
		"NUL":                 {&jsonevent.Event{TenantID: []byte("a\x00b")}, "invalid_characters tenant_id: has a control"},
		"CRLF":                {&jsonevent.Event{Region: []byte("a\r\nb")}, "invalid_characters region: has a control"},
		"DEL":                 {&jsonevent.Event{ChannelType: []byte("a\x7f")}, "invalid_characters channel_type: has a control"},
		"C1":                  {&jsonevent.Event{TenantID: []byte("a\u0085b")}, "invalid_characters tenant_id"},
		"override":            {&jsonevent.Event{TenantID: []byte("a\u202eb")}, "invalid_characters tenant_id"},
		"isolate":             {&jsonevent.Event{TenantID: []byte("a\u2066b")}, "invalid_characters tenant_id"},
		"mark":                {&jsonevent.Event{TenantID: []byte("a\u200fb")}, "invalid_characters tenant_id"},
		"Arabic letter mark":  {&jsonevent.Event{TenantID: []byte("a\u061cb")}, "invalid_characters tenant_id"},
		"not UTF-8":           {&jsonevent.Event{TenantID: []byte("a\xffb")}, "invalid_utf8 tenant_id"},
		"letters of any kind": {&jsonevent.Event{TenantID: []byte("acmé 株式会社 شركة 😀")}, ""},
		"in an id":            {&jsonevent.Event{ChannelID: []byte("a\x00b\u202e")}, ""},
	} {
		r := recordsFor(nil)
		at, rejected := r.event(test.event)
		if test.want == "" {
			assert.NotNil(t, at.scope, name)
			assert.Nil(t, rejected, name)
			continue
		}
		require.NotNil(t, rejected, name)
		assert.Contains(t, rejected.Reason+" "+rejected.Detail, test.want, name)
		r.violation(rejected)
		all := recordsOf(r.take())
		require.Len(t, all, 1, name)
		assert.Equal(t, []string{"acme_corp", "eu-west-1", "unknown"}, []string{all[0].tenant, all[0].region, all[0].channelType}, name)
	}
}

// Frames with long names leave nothing behind.
func TestRecords_LongNamesTakeNoMemory(t *testing.T) { // not parallel: it measures memory
	r := recordsFor(nil)
	before := liveHeap()
	var batches []plog.Logs
	for n := range 50 {
		event := &jsonevent.Event{TenantID: fmt.Appendf(nil, "%d-%s", n, strings.Repeat("x", 900_000))}
		event.Raw = event.TenantID
		_, rejected := r.event(event)
		require.NotNil(t, rejected)
		r.violation(rejected)
	}
	batches = append(batches, r.take())
	assert.Less(t, int64(liveHeap())-int64(before), int64(8<<20))
	runtime.KeepAlive(batches)
	runtime.KeepAlive(r)
}

func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestViolationRecord(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	r.violation(&jsonevent.Violation{Reason: wsevent.ViolationUnknownType, TenantID: []byte("globex"), ChannelType: []byte("voice"), Raw: []byte(`{"type":"x"}`)})
	r.violation(&jsonevent.Violation{Reason: wsevent.ViolationInvalidUTF8, TenantID: []byte("\xff"), Raw: []byte("\xff\xfe{")})
	r.violation(&jsonevent.Violation{Reason: wsevent.ViolationNotJSON, Raw: []byte(strings.Repeat("é", 3000))})
	r.violation(&jsonevent.Violation{Reason: wsevent.ViolationNotJSON, Raw: []byte("x" + strings.Repeat("é", 3000))})
	r.violation(&jsonevent.Violation{Reason: wsevent.ViolationBinaryFrame, Raw: []byte(strings.Repeat("\x80", 5000))})
	all := recordsOf(r.take())

	assert.Equal(t, []string{"globex", "eu-west-1", "voice"}, []string{all[0].tenant, all[0].region, all[0].channelType})
	assert.Equal(t, wsevent.ProtocolViolation, all[0].EventName())
	assert.Equal(t, arrival, all[0].Timestamp().AsTime())
	assert.Equal(t, arrival, all[0].ObservedTimestamp().AsTime())
	assert.Equal(t, map[string]any{"ccaas.violation.reason": "unknown_type"}, all[0].Attributes().AsRaw())
	assert.Equal(t, `{"type":"x"}`, all[0].Body().Str()) //nolint:testifylint // to the byte

	assert.Equal(t, []string{"acme_corp", "eu-west-1", "unknown"}, []string{all[1].tenant, all[1].region, all[1].channelType})
	assert.Equal(t, []byte("\xff\xfe{"), all[1].Body().Bytes().AsRaw())
	assert.Equal(t, strings.Repeat("é", 2048), all[2].Body().Str())
	assert.Equal(t, "x"+strings.Repeat("é", 2047), all[3].Body().Str(), "no character is cut in two")
	assert.LessOrEqual(t, all[4].Body().Bytes().Len(), 4096)
	assert.Greater(t, all[4].Body().Bytes().Len(), 4000)
}

func TestRecords_OneResourcePerSeries(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	var opened []string
	event := func(tenant string) {
		at, rejected := r.event(&jsonevent.Event{TenantID: []byte(tenant), ChannelType: []byte("voice")})
		require.Nil(t, rejected)
		if at.first {
			opened = append(opened, at.scope.series.tenant+" "+at.scope.series.region)
		}
	}
	for range 2 { // batches
		for i := range 12 {
			tenant := fmt.Sprintf("tenant-%d", i%3)
			if i%3 == 0 {
				tenant = "" // as configured
			}
			event(tenant)
		}
		event("acme_corp")
		r.violation(&jsonevent.Violation{TenantID: []byte("evil")})
		logs := r.take()
		assert.Equal(t, 4, logs.ResourceLogs().Len())
		assert.Equal(t, map[string]int{"tenant_id region": 4, "region": 1}, scopeSizes(logs.ResourceLogs().At(0)))
	}
	once := []string{"acme_corp eu-west-1", "tenant-1 eu-west-1", "tenant-2 eu-west-1"}
	assert.Equal(t, append(once, once...), opened, "once a batch, and not by violations")
}

// scopeSizes counts the records of each scope by the dimensions that are marked as
// not named by the event.
func scopeSizes(resource plog.ResourceLogs) map[string]int {
	sizes := map[string]int{}
	for _, scope := range resource.ScopeLogs().All() {
		var names []string
		if marked, ok := scope.Scope().Attributes().Get(wsevent.DimensionsDefaulted); ok {
			for _, name := range marked.Slice().All() {
				names = append(names, name.Str())
			}
		}
		sizes[strings.Join(names, " ")] = scope.LogRecords().Len()
	}
	return sizes
}

// The skew of a stream is measured by one clock, so events of others are marked.
func TestRecords_ClockSource(t *testing.T) {
	t.Parallel()
	r := newRecords(recordSettings{encoding: encodingRecords, limits: jsonevent.Limits{Dimension: 128, ID: 128}})
	for range 2 { // also in a second batch
		for _, clock := range []jsonevent.Clock{jsonevent.PlatformClock, jsonevent.OtherClock, jsonevent.ReceiverClock, jsonevent.OtherClock} {
			_, rejected := r.event(&jsonevent.Event{Type: jsonevent.ConnectionOpen, ChannelID: []byte("c"), Clock: clock})
			require.Nil(t, rejected)
		}
		sizes := map[string]int{}
		for _, scope := range r.take().ResourceLogs().At(0).ScopeLogs().All() {
			source, _ := scope.Scope().Attributes().Get(wsevent.ClockSource)
			sizes[source.Str()] = scope.LogRecords().Len()
		}
		assert.Equal(t, map[string]int{"": 1, "other": 2, "receiver": 1}, sizes)
	}
}

// Whoever follows channels has to know which dimensions an event named itself.
func TestRecords_DimensionsNotNamedByTheEvent(t *testing.T) {
	t.Parallel()
	event := func(tenant, region, channelType string) *jsonevent.Event {
		return &jsonevent.Event{TenantID: []byte(tenant), Region: []byte(region), ChannelType: []byte(channelType)}
	}
	for _, test := range []struct {
		event *jsonevent.Event
		want  string
	}{
		{event("acme_corp", "eu-west-1", "voice"), ""},
		{event("", "eu-west-1", "voice"), "tenant_id"},
		{event("acme_corp", "", "voice"), "region"},
		{event("acme_corp", "eu-west-1", ""), "channel_type"},
		{event("acme_corp", "", ""), "region channel_type"},
		{event("", "", ""), "tenant_id region channel_type"},
	} {
		r := recordsFor(nil)
		for range 3 {
			r.event(test.event)
		}
		logs := r.take()
		require.Equal(t, 1, logs.ResourceLogs().Len())
		assert.Equal(t, map[string]int{test.want: 3}, scopeSizes(logs.ResourceLogs().At(0)))
	}

	r := recordsFor(nil)
	for range 2 { // batches
		r.event(event("", "", "voice"))
		r.event(event("acme_corp", "eu-west-1", "voice"))
		r.event(event("acme_corp", "", "voice"))
		r.event(event("", "", "voice"))
		r.event(event("", "", ""))
		r.event(event("", "", "unknown"))
		r.violation(&jsonevent.Violation{})
		r.stream(wsevent.StreamAlive, "acme_corp", "eu-west-1", "", arrival)
		logs := r.take()
		require.Equal(t, 2, logs.ResourceLogs().Len(), "one resource for each set of dimensions")
		assert.Equal(t, map[string]int{"tenant_id region": 2, "": 1, "region": 1}, scopeSizes(logs.ResourceLogs().At(0)))
		assert.Equal(t, map[string]int{"tenant_id region channel_type": 1, "tenant_id region": 1, "": 2}, scopeSizes(logs.ResourceLogs().At(1)))
		for _, scope := range logs.ResourceLogs().At(0).ScopeLogs().All() {
			assert.Equal(t, metadata.ScopeName, scope.Scope().Name())
			assert.Equal(t, "1.2.3", scope.Scope().Version())
		}
	}
}

func TestRecords_BatchesShareNothing(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	var batches [][]taken
	for n := range 3 {
		for i := range 500 {
			r.event(&jsonevent.Event{ChannelID: fmt.Appendf(nil, "c-%d-%d", n, i), Raw: fmt.Appendf(nil, "raw-%d-%d", n, i)})
		}
		batches = append(batches, recordsOf(r.take()))
	}
	for n, batch := range batches {
		for i, record := range batch {
			assert.Equal(t, fmt.Sprintf("c-%d-%d", n, i), record.text(wsevent.ChannelID))
			assert.Equal(t, fmt.Sprintf("raw-%d-%d", n, i), record.Body().Str())
		}
	}
}

func TestSeriesTable_IsBounded(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	for n := range 20 {
		for i := range 1000 {
			r.event(&jsonevent.Event{TenantID: fmt.Appendf(nil, "tenant-%d-%d", n, i)})
		}
		assert.Equal(t, 1000, r.take().ResourceLogs().Len())
	}
	assert.LessOrEqual(t, len(r.series.all), maxSeries+1000)

	for n := range 3000 { // fewer than the table holds, but of more bytes
		r.event(&jsonevent.Event{TenantID: fmt.Appendf(nil, "%d-%s", n, strings.Repeat("t", 120)), Region: bytes.Repeat([]byte("r"), 128), ChannelType: bytes.Repeat([]byte("c"), 128)})
		assert.Less(t, r.bytes(), 3001*(resourceBytes+3*128))
	}
	assert.LessOrEqual(t, r.series.bytes, maxSeriesBytes+3000*(seriesBytes+3*129))
	r.take()
	assert.Empty(t, r.series.all)
	assert.Zero(t, r.series.bytes)
}

// TestSeriesTable_CacheKeepsNeighboursApart is that names which differ in one place only, as those
// of tenants and regions do, are found without the map.
func TestSeriesTable_CacheKeepsNeighboursApart(t *testing.T) {
	t.Parallel()
	var table seriesTable
	inUse := map[**series]bool{}
	sets := 0
	for tenant := range 20 {
		for _, region := range []string{"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"} {
			for _, channelType := range []string{"webmessaging", "whatsapp", "voice"} {
				inUse[table.place(fmt.Appendf(nil, "tenant_%02d", tenant), []byte(region), []byte(channelType))] = true
				sets++
			}
		}
	}
	assert.Greater(t, len(inUse), sets*4/5, "places of %d series", sets)
	assert.NotPanics(t, func() { table.place([]byte("a"), []byte("b"), []byte("c")) })
}

// TestRecords_HugeIdentifiersAreNotKept is that of an identifier of 900 KB no more is kept than
// the beginning of the violation that it makes, in any field.
func TestRecords_HugeIdentifiersAreNotKept(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{rawFull, rawNone} {
		r := recordsFor(func(set *recordSettings) { set.raw = raw })
		decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
		require.NoError(t, err)
		reasons := map[string]int{}
		for n := range 12 {
			huge := strings.Repeat(string(rune('a'+n%26)), 900_000)
			event := map[string]any{"type": "message.send", "timestamp": 1715623400123, "channelId": "c"}
			event[[]string{"tenantId", "region", "channelType", "channelId", "userId", "id"}[n%6]] = huge
			object, err := json.Marshal(event)
			require.NoError(t, err)
			decoder.Decode(object, sinkOf(func(e *jsonevent.Event) {
				_, violation := r.event(e)
				require.NotNil(t, violation)
				reasons[violation.Reason]++
				r.violation(violation)
			}))
		}
		assert.Equal(t, map[string]int{wsevent.ViolationFieldTooLong: 12}, reasons)
		assert.LessOrEqual(t, r.bytes(), 12*(maxViolationBody+200))
		assert.Len(t, r.series.all, 1, "the violations' own, without the identifier")
	}
}

// sinkOf is a sink for events alone.
type sinkOf func(*jsonevent.Event)

func (s sinkOf) Event(e *jsonevent.Event)       { s(e) }
func (sinkOf) Ignored()                         {}
func (sinkOf) Violation(v *jsonevent.Violation) { panic(v.Reason) }

// TestRecords_InvalidDimensions are refused where programs that show them
// would take them for something else, in every dimension, however they are written.
func TestRecords_InvalidDimensions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`acme\u0000corp`: wsevent.ViolationInvalidCharacter, `acme\r\nX-Evil: 1`: wsevent.ViolationInvalidCharacter, `acme\u007f`: wsevent.ViolationInvalidCharacter,
		`acme\u0085`: wsevent.ViolationInvalidCharacter, `\u202egpj.exe`: wsevent.ViolationInvalidCharacter, "\u2066acme\u2069": wsevent.ViolationInvalidCharacter,
		`\u200facme`: wsevent.ViolationInvalidCharacter, `\u061cacme`: wsevent.ViolationInvalidCharacter,
		`acme\u2028x`:                 wsevent.ViolationInvalidCharacter,
		`<!channel> <https://evil|x>`: "", `Müller & Söhne`: "", `شركة`: "", // for the formats' own escapes
	} {
		for _, key := range []string{"tenantId", "region", "channelType"} {
			r := recordsFor(nil)
			decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
			require.NoError(t, err)
			got := "none came"
			decoder.Decode([]byte(`{"type":"message.send","timestamp":1715623400123,"channelId":"c","`+key+`":"`+text+`"}`), sinkOf(func(e *jsonevent.Event) {
				got = ""
				if _, violation := r.event(e); violation != nil {
					got = violation.Reason
					r.violation(violation)
				}
			}))
			assert.Equal(t, want, got, "%s %s", key, text)
			for _, record := range recordsOf(r.take()) {
				if want != "" {
					assert.Equal(t, []string{"acme_corp", "eu-west-1", "unknown"}, []string{record.tenant, record.region, record.channelType}, "what is not valid is on no resource")
				}
			}
		}
	}
}

func TestRecordAllocations(t *testing.T) { // not parallel: AllocsPerRun
	r := recordsFor(nil)
	event := jsonevent.Event{
		Type: jsonevent.MessageSend, ChannelID: []byte("c-1"), UserID: []byte("u-1"), ID: []byte("e-1"),
		TenantID: []byte("globex"), PayloadSize: 512, HasPayloadSize: true, Raw: []byte(`{"type":"message.send"}`),
	}
	allocations := testing.AllocsPerRun(10_000, func() {
		r.event(&event)
		if r.count == 1000 {
			r.take()
		}
	})
	assert.LessOrEqual(t, allocations, 7.5, "the record, its body, its attributes and their values")
}

func TestStreams(t *testing.T) {
	t.Parallel()
	s := newStreams(stream{tenant: "acme_corp", region: "unknown"})
	assert.Equal(t, []stream{{"acme_corp", "unknown"}}, s.current(arrival))
	s.observe(stream{"globex", "us-east-1"}, arrival)
	s.observe(stream{"globex", "eu-west-1"}, arrival.Add(23*time.Hour))
	assert.Equal(t, []stream{{"globex", "eu-west-1"}, {"globex", "us-east-1"}}, s.current(arrival.Add(24*time.Hour)))
	assert.Equal(t, []stream{{"globex", "eu-west-1"}}, s.current(arrival.Add(25*time.Hour)), "forgotten after a day")

	for i := range maxStreams + 10 {
		s.observe(stream{"tenant", strconv.Itoa(i)}, arrival.Add(24*time.Hour+time.Duration(i)))
	}
	carried := s.current(arrival.Add(25 * time.Hour))
	assert.Len(t, carried, maxStreams)
	assert.NotContains(t, carried, stream{"globex", "eu-west-1"}, "the one not seen for longest makes room")
	assert.Contains(t, carried, stream{"tenant", strconv.Itoa(maxStreams + 9)})

	for i := range maxStreams { // names of 1 KiB: as many as the bound in bytes lets in
		s.observe(stream{strings.Repeat("t", 1020) + fmt.Sprintf("%04d", i), "r"}, arrival.Add(25*time.Hour+time.Duration(i)))
		assert.LessOrEqual(t, s.bytes, maxStreamBytes)
	}
	assert.InDelta(t, maxStreamBytes/1025, len(s.current(arrival.Add(26*time.Hour))), 1)
	s.current(arrival.Add(72 * time.Hour))
	assert.Zero(t, s.bytes)
}
