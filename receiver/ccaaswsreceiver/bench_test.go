// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
)

// benchEvent is an event of about 258 bytes, one of many tenants' and channels'.
func benchEvent(n int) []byte {
	return fmt.Appendf(nil, `{"type":"message.send","timestamp":%d,"channelId":"3f2504e0-4f89-41d3-9a0c-%012x","userId":"9b1deb4d-3b7d-4bad-%04x",`+
		`"region":"us-east-1","tenantId":"tenant_%02d","channelType":"webmessaging","payloadSize":%d,"id":"1b9d6bcd-bbfd-4b2d-%012x"}`,
		1715623400123+n, n, n%0xffff, n%8, n%1000, n)
}

func benchRecords(b *testing.B, encoding, raw string, share int) {
	const perBatch = 1000
	all := make([]jsonevent.Event, perBatch)
	for i := range all {
		event := benchEvent(i * share)
		keep := eventKeeper{}
		decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
		require.NoError(b, err)
		decoder.Decode(event, &keep)
		all[i] = keep.event
	}
	config := createDefaultConfig().(*Config)
	redactor, err := config.redactor(apiOf(b, "custom", "realtime_events").Profile())
	require.NoError(b, err)
	r := newRecords(recordSettings{
		encoding: encoding, platform: "genesys_cloud", raw: raw, redactor: redactor, userID: "plain", limits: jsonevent.Limits{Dimension: 128, ID: 512}, maxPayloadSize: 1 << 30,
	})
	r.arriving(time.Now())
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r.event(&all[n])
		if n++; n == perBatch {
			one := &batch{blocks: r.blocks, spare: r.spare}
			one.logs = r.take()
			one.encode()
			n = 0
		}
	}
}

// eventKeeper keeps the one event of a frame, whose slices alias it.
type eventKeeper struct{ event jsonevent.Event }

func (k *eventKeeper) Event(e *jsonevent.Event) {
	k.event = jsonevent.Event{
		Type: e.Type, Time: e.Time, HasPayloadSize: e.HasPayloadSize, PayloadSize: e.PayloadSize,
		ChannelID: bytes.Clone(e.ChannelID), UserID: bytes.Clone(e.UserID), ID: bytes.Clone(e.ID), Raw: bytes.Clone(e.Raw),
		TenantID: bytes.Clone(e.TenantID), Region: bytes.Clone(e.Region), ChannelType: bytes.Clone(e.ChannelType),
	}
}

func (*eventKeeper) Ignored() {}

func (*eventKeeper) Violation(*jsonevent.Violation) {}

// BenchmarkRecords is what the record of an event costs, from the decoded event.
func BenchmarkRecords(b *testing.B) {
	b.Run("raw", func(b *testing.B) { benchRecords(b, encodingRecords, "full", 1) })
	b.Run("redacted", func(b *testing.B) { benchRecords(b, encodingRecords, "redacted", 1) })
	b.Run("bare", func(b *testing.B) { benchRecords(b, encodingRecords, "none", 1) })
	b.Run("bare/one-tenant", func(b *testing.B) { benchRecords(b, encodingRecords, "none", 8) })
	b.Run("blocks", func(b *testing.B) { benchRecords(b, encodingBlocks, "none", 1) })
	b.Run("blocks/one-tenant", func(b *testing.B) { benchRecords(b, encodingBlocks, "none", 8) })
	b.Run("both", func(b *testing.B) { benchRecords(b, encodingBoth, "none", 1) })
}

// BenchmarkEncodedSize reports the bytes of an event in OTLP, in batches of 1,000 events of
// some series, as they are and as Kafka's producer compresses them.
func BenchmarkEncodedSize(b *testing.B) {
	zstdWriter, err := zstd.NewWriter(nil)
	require.NoError(b, err)
	for _, encoding := range []string{encodingRecords, encodingBlocks} {
		for _, series := range []int{1, 100, 2000} {
			b.Run(fmt.Sprintf("%s/series=%d", encoding, series), func(b *testing.B) {
				r := newRecords(recordSettings{
					encoding: encoding, platform: "genesys_cloud", raw: "none", userID: "plain", limits: jsonevent.Limits{Dimension: 128, ID: 512}, maxPayloadSize: 1 << 30,
				})
				random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
				events, plain, compressed := 0, 0, 0
				for b.Loop() {
					const perBatch = 1000
					for i := range perBatch {
						r.arriving(time.UnixMilli(1715623400160).Add(time.Duration(events+i)*200*time.Microsecond + time.Duration(random.IntN(100_000))))
						r.event(&jsonevent.Event{
							Type: jsonevent.MessageSend, Time: 1715623400123e6 + int64(events+i)/5*1e6, HasPayloadSize: true, PayloadSize: random.Int64N(2000),
							ChannelID: fmt.Appendf(nil, "%08x-4f89-41d3-9a0c-%012x", random.Uint32(), random.Uint64()&0xffffffffffff), UserID: fmt.Appendf(nil, "%012x", random.Uint64()&0xffffffffffff),
							ID:       fmt.Appendf(nil, "%08x-bbfd-4b2d-9a0c-%012x", random.Uint32(), random.Uint64()&0xffffffffffff),
							TenantID: fmt.Appendf(nil, "tenant_%d", random.IntN(series)), Region: []byte("us-east-1"), ChannelType: []byte("webmessaging"),
						})
					}
					one := &batch{blocks: r.blocks, spare: r.spare}
					one.logs = r.take()
					one.encode()
					bytes, err := (&plog.ProtoMarshaler{}).MarshalLogs(one.logs)
					require.NoError(b, err)
					events, plain, compressed = events+perBatch, plain+len(bytes), compressed+len(zstdWriter.EncodeAll(bytes, nil))
				}
				b.ReportMetric(float64(plain)/float64(events), "B/event")
				b.ReportMetric(float64(compressed)/float64(events), "zstd-B/event")
			})
		}
	}
}

// counter is a consumer that only counts.
type counter struct{ records atomic.Int64 }

func (*counter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (c *counter) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	c.records.Add(int64(logs.LogRecordCount()))
	return nil
}

// BenchmarkReceive measures the complete receiver, from a socket that always has frames
// to its consumer. CPU time is the process's, and includes the sender's writes of
// prepared bytes.
func BenchmarkReceive(b *testing.B) {
	for _, perFrame := range []int{1, 100} {
		for _, includeRaw := range []bool{true, false} {
			for _, window := range []time.Duration{2 * time.Minute, 0} {
				b.Run(fmt.Sprintf("events_per_frame=%d/include_raw=%t/deduplication=%t", perFrame, includeRaw, window > 0), func(b *testing.B) {
					benchReceive(b, perFrame, includeRaw, window)
				})
			}
		}
	}
}

func benchReceive(b *testing.B, perFrame int, includeRaw bool, window time.Duration) {
	const perChunk = 1000
	chunk, ids := benchChunk(perChunk, perFrame)
	begin := make(chan int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		for number := range <-begin {
			for _, at := range ids { // no event is a duplicate of another chunk's
				for digit := range 7 {
					chunk[at+digit] = 'a' + byte(number>>(4*digit)&15)
				}
			}
			if _, err := conn.NetConn().Write(chunk); err != nil {
				return
			}
		}
		_, _, _ = conn.NextReader()
		_ = conn.Close()
	}))
	defer server.Close()

	config := createDefaultConfig().(*Config)
	config.Platform, config.Endpoint, config.Preflight.Enabled, config.Raw = "custom", server.URL, false, rawNone
	if includeRaw {
		config.Raw = rawFull
	}
	config.Deduplication.Window = window
	sink := &counter{}
	receiver, err := newReceiver(receivertest.NewNopSettings(metadata.Type), config, sink)
	require.NoError(b, err)
	require.NoError(b, receiver.Start(b.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(b, receiver.Shutdown(context.Background())) }()
	for sink.records.Load() == 0 { // the record that says that it is connected
		time.Sleep(time.Millisecond)
	}

	chunks := (b.N + perChunk - 1) / perChunk
	want := int64(chunks*perChunk) + 1
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	begin <- chunks
	for sink.records.Load() < want {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(cpu()-before)/float64(chunks*perChunk), "cpu-ns/event")
	b.ReportMetric(float64(len(chunk))/perChunk, "B/event")
}

// benchChunk is the wire form of many frames, and where in it the events' ids end
// in digits that may be changed.
func benchChunk(events, perFrame int) (chunk []byte, ids []int) {
	for first := 0; first < events; first += perFrame {
		var objects [][]byte
		for i := range perFrame {
			objects = append(objects, benchEvent(first+i))
		}
		body := bytes.Join(objects, []byte(","))
		if perFrame > 1 {
			body = append(append([]byte("["), body...), ']')
		}
		chunk = append(chunk, 0x81, 126, byte(len(body)>>8), byte(len(body)))
		chunk = append(chunk, body...)
	}
	const before = `"id":"1b9d6bcd-bbfd-4b2d-`
	for at := 0; ; {
		found := bytes.Index(chunk[at:], []byte(before))
		if found < 0 {
			return chunk, ids
		}
		at += found + len(before)
		ids = append(ids, at)
	}
}

// cpu is the CPU time that the process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
