// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var arrival = time.Date(2024, time.May, 13, 18, 3, 20, 0, time.UTC)

func recordsFor(change func(*recordSettings)) *records {
	set := recordSettings{
		platform: "genesys_cloud", tenant: "acme_corp", region: "eu-west-1", includeRaw: true, version: "1.2.3",
		abnormalReasons: []string{"transport.failure", "error"},
	}
	if change != nil {
		change(&set)
	}
	r := newRecords(set, func(string, string) {})
	r.arriving(arrival)
	return r
}

func TestEventRecord(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	raw := []byte(`{"type":"message.send"}`)
	r.event(&frame.Event{
		Type: frame.MessageSend, Time: 1715623400123456789, ChannelID: []byte("c-1"), UserID: []byte("u-1"), ID: []byte("e-1"),
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
	r := recordsFor(func(s *recordSettings) { s.includeRaw, s.tenant, s.region = false, "", "" })
	r.event(&frame.Event{Type: frame.MessageReceive, ChannelID: []byte("c-1"), Raw: []byte(`{}`)})
	record := recordsOf(r.take())[0]
	assert.Equal(t, []string{"unknown", "unknown", "unknown"}, []string{record.tenant, record.region, record.channelType})
	assert.Equal(t, pcommon.ValueTypeEmpty, record.Body().Type())
	assert.Equal(t, map[string]any{"ccaas.channel.id": "c-1"}, record.Attributes().AsRaw())
}

func TestCloseIsAbnormal(t *testing.T) {
	t.Parallel()
	code := func(code int64, reason string) *frame.Event {
		return &frame.Event{Type: frame.ConnectionClose, HasCloseCode: true, CloseCode: code, CloseReason: []byte(reason)}
	}
	for _, test := range []struct {
		event    *frame.Event
		abnormal bool
	}{
		{code(1000, ""), false},
		{code(1001, ""), false},
		{code(1000, "error"), false},
		{code(1006, ""), true},
		{code(1011, "endpoint"), true},
		{code(0, ""), true},
		{&frame.Event{Type: frame.ConnectionClose}, false},
		{&frame.Event{Type: frame.ConnectionClose, CloseReason: []byte("endpoint")}, false},
		{&frame.Event{Type: frame.ConnectionClose, CloseReason: []byte("transport.failure")}, true},
	} {
		r := recordsFor(nil)
		r.event(test.event)
		value, ok := recordsOf(r.take())[0].Attributes().Get(wsevent.CloseAbnormal)
		require.True(t, ok, "stands on every close")
		assert.Equal(t, test.abnormal, value.Bool(), "%+v", test.event)
	}
}

func TestViolationRecord(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	r.violation(&frame.Violation{Reason: wsevent.ViolationUnknownType, TenantID: []byte("globex"), ChannelType: []byte("voice"), Raw: []byte(`{"type":"x"}`)})
	r.violation(&frame.Violation{Reason: wsevent.ViolationInvalidUTF8, TenantID: []byte("\xff"), Raw: []byte("\xff\xfe{")})
	r.violation(&frame.Violation{Reason: wsevent.ViolationNotJSON, Raw: []byte(strings.Repeat("é", 3000))})
	r.violation(&frame.Violation{Reason: wsevent.ViolationNotJSON, Raw: []byte("x" + strings.Repeat("é", 3000))})
	r.violation(&frame.Violation{Reason: wsevent.ViolationBinaryFrame, Raw: []byte(strings.Repeat("\x80", 5000))})
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

func TestOneResourceForEachSetOfDimensions(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	var opened []string
	r.opened = func(tenant, region string) { opened = append(opened, tenant+" "+region) }
	for range 2 { // batches
		for i := range 12 {
			tenant := fmt.Sprintf("tenant-%d", i%3)
			if i%3 == 0 {
				tenant = "" // as configured
			}
			r.event(&frame.Event{TenantID: []byte(tenant), ChannelType: []byte("voice")})
		}
		r.event(&frame.Event{TenantID: []byte("acme_corp"), ChannelType: []byte("voice")})
		r.violation(&frame.Violation{TenantID: []byte("evil")})
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

// Whoever follows channels has to know which dimensions an event named itself.
func TestRecords_DimensionsNotNamedByTheEvent(t *testing.T) {
	t.Parallel()
	event := func(tenant, region, channelType string) *frame.Event {
		return &frame.Event{TenantID: []byte(tenant), Region: []byte(region), ChannelType: []byte(channelType)}
	}
	for _, test := range []struct {
		event *frame.Event
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
		r.violation(&frame.Violation{})
		r.stream(wsevent.StreamAlive, "acme_corp", "eu-west-1", arrival)
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

func TestBatchesShareNothing(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	var batches [][]taken
	for n := range 3 {
		for i := range 500 {
			r.event(&frame.Event{ChannelID: fmt.Appendf(nil, "c-%d-%d", n, i), Raw: fmt.Appendf(nil, "raw-%d-%d", n, i)})
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

func TestSeriesTableIsBounded(t *testing.T) {
	t.Parallel()
	r := recordsFor(nil)
	for n := range 20 {
		for i := range 1000 {
			r.event(&frame.Event{TenantID: fmt.Appendf(nil, "tenant-%d-%d", n, i)})
		}
		assert.Equal(t, 1000, r.take().ResourceLogs().Len())
	}
	assert.LessOrEqual(t, len(r.series.all), maxSeries+1000)

	long := []byte(strings.Repeat("x", maxSeriesBytes))
	r.event(&frame.Event{TenantID: long})
	r.take()
	assert.Empty(t, r.series.all)
}

func TestRecordAllocations(t *testing.T) { // not parallel: AllocsPerRun
	r := recordsFor(nil)
	event := frame.Event{
		Type: frame.MessageSend, ChannelID: []byte("c-1"), UserID: []byte("u-1"), ID: []byte("e-1"),
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
	assert.Equal(t, []stream{{"acme_corp", "unknown"}}, s.carried(arrival))
	s.see(stream{"globex", "us-east-1"}, arrival)
	s.see(stream{"globex", "eu-west-1"}, arrival.Add(23*time.Hour))
	assert.Equal(t, []stream{{"globex", "eu-west-1"}, {"globex", "us-east-1"}}, s.carried(arrival.Add(24*time.Hour)))
	assert.Equal(t, []stream{{"globex", "eu-west-1"}}, s.carried(arrival.Add(25*time.Hour)), "forgotten after a day")

	for i := range maxStreams + 10 {
		s.see(stream{"tenant", strconv.Itoa(i)}, arrival.Add(24*time.Hour+time.Duration(i)))
	}
	carried := s.carried(arrival.Add(25 * time.Hour))
	assert.Len(t, carried, maxStreams)
	assert.NotContains(t, carried, stream{"globex", "eu-west-1"}, "the one not seen for longest makes room")
	assert.Contains(t, carried, stream{"tenant", strconv.Itoa(maxStreams + 9)})
}
