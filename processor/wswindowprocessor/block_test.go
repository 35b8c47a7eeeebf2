// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// arrived is a record and the series that it is of.
type arrived struct {
	tags      wsevent.Tags
	defaulted bool
	at        int64 // unix ms, of arrival
	record    plog.LogRecord
}

// traffic returns random records as a receiver emits them, of several streams: events that
// are late, of the future, of unknown channels and sizes, and records about the streams.
func traffic(r *rand.Rand) []arrived {
	const begin = 1_715_623_200_000
	all := make([]arrived, 600)
	now := int64(begin)
	for i := range all {
		now += 1 + r.Int64N(200)
		if r.IntN(100) == 0 {
			now += 30_000
		}
		a := arrived{tags: wsevent.Tags{
			TenantID: fmt.Sprintf("t%d", r.IntN(4)), Region: fmt.Sprintf("r%d", r.IntN(2)), ChannelType: []string{"webmessaging", "voice", wsevent.Unknown}[r.IntN(3)],
		}, at: now, record: plog.NewLogRecord()}
		a.defaulted = r.IntN(6) == 0
		a.record.SetObservedTimestamp(pcommon.Timestamp(now*1e6 + r.Int64N(1e6)))
		a.record.SetTimestamp(pcommon.Timestamp((now - r.Int64N(3_000)) * 1e6))
		attributes := a.record.Attributes()
		if r.IntN(20) > 0 {
			attributes.PutStr(wsevent.ChannelID, fmt.Sprintf("channel-%d", r.IntN(60)))
		}
		switch r.IntN(40) {
		case 0: // late
			a.record.SetTimestamp(pcommon.Timestamp((now - 60_000) * 1e6))
		case 1: // of the future
			a.record.SetTimestamp(pcommon.Timestamp((now + 3_600_000) * 1e6))
		case 2:
			a.record.SetTimestamp(0)
		}
		name := []string{
			wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageSend, wsevent.MessageReceive, wsevent.MessageReceive,
			wsevent.ProtocolViolation, wsevent.StreamGap, wsevent.StreamDisconnected, wsevent.StreamConnected, wsevent.ClockSkew,
		}[min(10, r.IntN(12))]
		a.record.SetEventName(name)
		switch name {
		case wsevent.MessageSend, wsevent.MessageReceive:
			if r.IntN(4) > 0 {
				attributes.PutInt(wsevent.PayloadSize, r.Int64N(2_000))
			}
		case wsevent.ConnectionClose:
			attributes.PutStr(wsevent.UserID, fmt.Sprintf("user-%d", r.IntN(20)))
			attributes.PutInt(wsevent.CloseCode, 1000+r.Int64N(8))
			attributes.PutStr(wsevent.CloseReason, "error")
			if r.IntN(3) > 0 {
				attributes.PutBool(wsevent.CloseAbnormal, r.IntN(2) == 0)
			}
		case wsevent.ConnectionOpen:
			attributes.PutStr(wsevent.UserID, fmt.Sprintf("user-%d", r.IntN(20)))
		default:
			a.tags.ChannelType, a.defaulted = wsevent.Unknown, false
			a.record.SetTimestamp(a.record.ObservedTimestamp())
			attributes.PutInt(wsevent.GapStart, now-500)
			attributes.PutInt(wsevent.GapEnd, now)
			attributes.PutDouble(wsevent.ClockSkewOffset, float64(r.IntN(100)))
		}
		all[i] = a
	}
	return all
}

// batchOf groups records by series and scope, as a receiver does.
func batchOf(records []arrived) plog.Logs {
	logs := plog.NewLogs()
	type place struct {
		tags      wsevent.Tags
		defaulted bool
	}
	resources, scopes := map[wsevent.Tags]plog.ResourceLogs{}, map[place]plog.LogRecordSlice{}
	for _, a := range records {
		resource, ok := resources[a.tags]
		if !ok {
			resource = logs.ResourceLogs().AppendEmpty()
			wslog.PutTags(resource.Resource().Attributes(), a.tags)
			resources[a.tags] = resource
		}
		to, ok := scopes[place{a.tags, a.defaulted}]
		if !ok {
			scope := resource.ScopeLogs().AppendEmpty()
			if a.defaulted {
				scope.Scope().Attributes().PutEmptySlice(wsevent.DimensionsDefaulted).AppendEmpty().SetStr(wsevent.ChannelType)
			}
			to = scope.LogRecords()
			scopes[place{a.tags, a.defaulted}] = to
		}
		a.record.CopyTo(to.AppendEmpty())
	}
	return logs
}

// count counts records in batches of at most a size, each in the form that encode gives it.
func count(r *rand.Rand, config window.Config, records []arrived, size int, encode func(plog.Logs) plog.Logs) ([]wsevent.Window, window.Stats) {
	windows, _, stats := countSessions(r, config, records, size, encode)
	return windows, stats
}

// countSessions is count with the sessions that have ended, in order.
func countSessions(r *rand.Rand, config window.Config, records []arrived, size int, encode func(plog.Logs) plog.Logs) ([]wsevent.Window, []wsevent.Session, window.Stats) {
	e := window.New(config)
	b := batch{sessions: newSessionReader(&SessionsConfig{Enabled: config.Sessions.Enabled, UserID: userFull})}
	var now int64
	for rest := records; len(rest) > 0; {
		n := 1 + r.IntN(min(size, len(rest)))
		now = rest[n-1].at
		b.read(encode(batchOf(rest[:n])), pcommon.Timestamp(now*1e6))
		e.Observe(b.groups, now)
		if r.IntN(3) == 0 {
			e.Advance(now)
		}
		rest = rest[n:]
	}
	e.Advance(now + 40_000)
	windows := e.Drain()
	slices.SortStableFunc(windows, func(a, b wsevent.Window) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(fmt.Sprint(a.Tags), fmt.Sprint(b.Tags)))
	})
	sessions := e.DrainSessions()
	slices.SortStableFunc(sessions, func(a, b wsevent.Session) int {
		return cmp.Or(cmp.Compare(a.End, b.End), bytes.Compare(a.TraceID[:], b.TraceID[:]))
	})
	return windows, sessions, e.Stats()
}

// requireSame compares windows, and reports the first difference only.
func requireSame(t *testing.T, want, got []wsevent.Window, of string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i], got[i], of)
	}
	require.Len(t, got, len(want), of)
}

// The windows of blocks are those of records, whatever the batches and the limits are.
func TestBlocks_WindowsAreThoseOfRecords(t *testing.T) {
	t.Parallel()
	asTheyAre := func(logs plog.Logs) plog.Logs { return logs }
	overTheWire := func(logs plog.Logs) plog.Logs {
		bytes, err := (&plog.ProtoMarshaler{}).MarshalLogs(owntest.Blocks(logs))
		require.NoError(t, err)
		logs, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(bytes)
		require.NoError(t, err)
		return logs
	}
	for name, limit := range map[string]func(*window.Config){
		"as shipped":              func(*window.Config) {},
		"few series":              func(c *window.Config) { c.MaxSeries = 3 },
		"few series of a tenant":  func(c *window.Config) { c.MaxSeriesPerTenant = 1 },
		"few channels":            func(c *window.Config) { c.MaxChannels = 10 },
		"tumbling, short, strict": func(c *window.Config) { c.Size, c.Overlap, c.AllowedLateness = time.Second, 0, 0 },
		"channels that expire":    func(c *window.Config) { c.ChannelTTL = 20 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := createDefaultConfig().(*Config).window()
			limit(&config)
			late, future := int64(0), int64(0)
			for seed := range uint64(40) {
				records := traffic(rand.New(rand.NewPCG(seed, 5)))
				for _, size := range []int{1, 20, len(records)} {
					want, wanted := count(rand.New(rand.NewPCG(seed, 6)), config, records, size, asTheyAre)
					require.NotEmpty(t, want)
					got, stats := count(rand.New(rand.NewPCG(seed, 6)), config, records, size, overTheWire)
					requireSame(t, want, got, fmt.Sprintf("seed %d, batches of %d", seed, size))
					require.Equal(t, wanted, stats)
					late, future = late+stats.LateEvents, future+stats.FutureEvents
				}
			}
			assert.Positive(t, late)
			assert.Positive(t, future)
		})
	}
}

// Sessions of blocks are those of records, but for the id of a channel that had neither an open
// nor a close.
func TestBlocks_SessionsAreThoseOfRecords(t *testing.T) {
	t.Parallel()
	config := createDefaultConfig().(*Config)
	config.Sessions.Enabled = true
	for seed := range uint64(20) {
		records := traffic(rand.New(rand.NewPCG(seed, 13)))
		for _, size := range []int{1, 50} {
			_, want, _ := countSessions(rand.New(rand.NewPCG(seed, 6)), config.window(), records, size, func(logs plog.Logs) plog.Logs { return logs })
			_, got, _ := countSessions(rand.New(rand.NewPCG(seed, 6)), config.window(), records, size, owntest.Blocks)
			require.Len(t, got, len(want))
			require.NotEmpty(t, got)
			identified := 0
			for i := range want {
				if got[i].ChannelID == "" {
					want[i].ChannelID = ""
				} else {
					identified++
				}
				require.Equal(t, want[i], got[i], "seed %d, batches of %d", seed, size)
			}
			require.Positive(t, identified)
		}
	}
}

// Blocks and records of one channel are of the same channel.
func TestBlocks_MixWithRecords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		records := traffic(rand.New(rand.NewPCG(seed, 7)))
		config := createDefaultConfig().(*Config).window()
		want, _ := count(rand.New(rand.NewPCG(seed, 8)), config, records, 30, func(logs plog.Logs) plog.Logs { return logs })
		mixed := false
		got, _ := count(rand.New(rand.NewPCG(seed, 8)), config, records, 30, func(logs plog.Logs) plog.Logs {
			if mixed = !mixed; mixed {
				return owntest.Blocks(logs)
			}
			return logs
		})
		requireSame(t, want, got, fmt.Sprintf("seed %d", seed))
	}
}

// A receiver that emits both counts once.
func TestBlocks_RecordsThatAreInBlocksAreNotCounted(t *testing.T) {
	t.Parallel()
	records := traffic(rand.New(rand.NewPCG(1, 9)))
	config := createDefaultConfig().(*Config).window()
	want, _ := count(rand.New(rand.NewPCG(1, 8)), config, records, 30, owntest.Blocks)
	got, _ := count(rand.New(rand.NewPCG(1, 8)), config, records, 30, func(logs plog.Logs) plog.Logs {
		for _, resource := range logs.ResourceLogs().All() {
			scopes := resource.ScopeLogs()
			for i := range scopes.Len() {
				copied := scopes.AppendEmpty()
				scopes.At(i).CopyTo(copied)
				copied.Scope().Attributes().PutBool(wsevent.BlockCounted, true)
				copied.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
					_, event := owntest.BlockEvent(record)
					return !event
				})
			}
		}
		marked := owntest.Blocks(logs)
		for i, resource := range marked.ResourceLogs().All() {
			for j, scope := range resource.ScopeLogs().All() {
				if countedElsewhere(scope.Scope().Attributes()) {
					logs.ResourceLogs().At(i).ScopeLogs().At(j).LogRecords().CopyTo(scope.LogRecords())
				}
			}
		}
		return marked
	})
	requireSame(t, want, got, "both")
}

// Events without a time of arrival have that of their record, which a receiver of messages
// may have stamped, or arrive now.
func TestBlocks_WithoutArrival(t *testing.T) {
	t.Parallel()
	logs := event(wsevent.MessageSend, "a")
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	record.SetObservedTimestamp(0)
	record.SetTimestamp(0)
	logs = owntest.Blocks(logs)
	var b batch
	b.read(logs, pcommon.Timestamp(1_715_623_200_000*1e6))
	assert.Equal(t, window.Event{Kind: window.MessageSend, Time: 1_715_623_200_000, Channel: 0xd24ec4f1a98c6e5b, Bytes: 512}, b.groups[0].Events[0])
	logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetObservedTimestamp(1_715_623_100_000 * 1e6)
	b.read(logs, pcommon.Timestamp(1_715_623_200_000*1e6))
	assert.Equal(t, int64(1_715_623_100_000), b.groups[0].Events[0].Time)
	assert.Equal(t, int64(1_715_623_100_000), b.groups[0].Events[0].Observed)
}

func TestBlocks_Correction(t *testing.T) {
	t.Parallel()
	logs := owntest.Blocks(event(wsevent.MessageSend, "a"))
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	var b batch
	b.read(logs, 0)
	before := b.groups[0].Events[0].Time
	record.Attributes().PutInt(wsevent.ClockCorrection, int64(3*time.Second))
	b.read(logs, 0)
	assert.Equal(t, before-3000, b.groups[0].Events[0].Time)
}

// A block that cannot be decoded is counted by its reason, and its window is incomplete. Its
// neighbours are counted.
func TestBlocks_Refused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		telemetry := componenttest.NewTelemetry()
		sink := new(consumertest.LogsSink)
		set := metadatatest.NewSettings(telemetry)
		p, err := NewFactory().CreateLogs(t.Context(), set, createDefaultConfig(), sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		time.Sleep(7 * time.Second) // a window begins
		send := func(change func(body []byte) []byte) {
			logs := event(wsevent.MessageSend, "a")
			record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			record.SetObservedTimestamp(record.Timestamp())
			logs = owntest.Blocks(logs)
			body := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body()
			changed := change(body.Bytes().AsRaw())
			body.SetEmptyBytes().FromRaw(changed)
			require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		}
		send(func(body []byte) []byte { return body })
		send(func(body []byte) []byte { body[0] = 9; return body })
		send(func(body []byte) []byte { body[50]++; return body })
		send(func([]byte) []byte { return nil })
		send(func(body []byte) []byte { return body })
		time.Sleep(14 * time.Second)
		synctest.Wait()
		var sent float64
		incomplete := 0
		for _, w := range windows(t, sink) {
			sent += field(t, w.Fields, wsevent.FieldMessagesSent)
			if complete, _ := w.Fields.Get(wsevent.FieldComplete); !complete.Bool() {
				incomplete++
			}
		}
		assert.InDelta(t, 2, sent, 0)
		assert.Equal(t, 1, incomplete)
		reason := func(of string) metricdata.DataPoint[int64] {
			return metricdata.DataPoint[int64]{Value: 1, Attributes: attribute.NewSet(attribute.String("reason", of))}
		}
		metadatatest.AssertEqualWsWindowRefusedBlocks(t, telemetry,
			[]metricdata.DataPoint[int64]{reason("version"), reason("checksum"), reason("malformed")}, metricdatatest.IgnoreTimestamp())
		require.NoError(t, p.Shutdown(t.Context()))
		require.NoError(t, telemetry.Shutdown(t.Context()))
	})
}

func BenchmarkConsumeBlocks(b *testing.B) {
	const events = 1_000
	p, err := newProcessor(metadatatest.NewSettings(componenttest.NewTelemetry()), createDefaultConfig().(*Config), consumertest.NewNop())
	require.NoError(b, err)
	logs := owntest.Blocks(manyEvents(events))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ConsumeLogs(b.Context(), logs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
}
