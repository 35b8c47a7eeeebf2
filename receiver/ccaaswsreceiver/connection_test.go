// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestDeliveredTo_FilledThenCarried(t *testing.T) {
	t.Parallel()
	var during, after []time.Duration
	var o *batcher
	batching(t, usual, time.Second, func(_ *testing.T, made *batcher) {
		o = made
		began := time.Now()
		to := func() time.Duration { return o.deliveredTo(time.Now()).Sub(began) }
		assert.Equal(t, time.Duration(0), to(), "nothing is read")
		time.Sleep(time.Second)
		assert.Equal(t, time.Second, to(), "nothing is undelivered")
		o.frame(messages(1, 1), time.Now(), 1)
		time.Sleep(50 * time.Millisecond)
		during = append(during, to()) // it is being filled
		time.Sleep(500 * time.Millisecond)
		during = append(during, to()) // it is being delivered
		o.frame(messages(2, 1), time.Now(), 1)
		during = append(during, to())
		time.Sleep(600 * time.Millisecond)
		after = append(after, to()) // the first is delivered, the second is not
		time.Sleep(2 * time.Second)
		after = append(after, to())
	})
	assert.Equal(t, []time.Duration{time.Second, time.Second, time.Second}, during)
	assert.Equal(t, []time.Duration{1550 * time.Millisecond, 4150 * time.Millisecond}, after)
}

func TestBatcher_BlockedTimeCountedWhileItLasts(t *testing.T) {
	t.Parallel()
	batching(t, usual, time.Minute, func(t *testing.T, o *batcher) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			o.frame(messages(0, 11), time.Now(), 1)
		}()
		time.Sleep(20 * time.Second)
		assert.Equal(t, 20*time.Second, o.blocked.take(time.Now()), "while it lasts")
		time.Sleep(20 * time.Second)
		assert.Equal(t, 20*time.Second, o.blocked.take(time.Now()))
		<-done
		assert.Equal(t, 20*time.Second, o.blocked.take(time.Now()), "nothing is counted twice")
		assert.Zero(t, o.blocked.take(time.Now()))
	})
}

func TestConnection_FramesWithoutRecordsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, configFor("ws://127.0.0.1:1"))
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), func(*jsonevent.Decoder) api.Decode {
		return func(_ []byte, _ time.Time, to jsonevent.Sink) { to.Ignored() }
	})
	require.NoError(t, err)
	conn.Text([]byte(`{"kind":"other"}`), time.Now(), 1)
	conn.tick(time.Now())
	for name, want := range map[string]int64{"otelcol_ccaas_ws_frames": 1, "otelcol_ccaas_ws_io": 16, "otelcol_ccaas_ws_ignored": 1} {
		assert.Equal(t, want, sumOf(t, b, name), name)
	}
}

// refuser refuses until ok is set, and records DeliveredTo.
type refuser struct {
	ok   atomic.Bool
	lags []time.Duration
}

func (*refuser) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (r *refuser) ConsumeLogs(ctx context.Context, _ plog.Logs) error {
	delivery, _ := wsevent.DeliveryFrom(ctx)
	now := time.Now()
	r.lags = append(r.lags, now.Sub(delivery.DeliveredTo(now)))
	if r.ok.Load() {
		return nil
	}
	return errRefused
}

func TestStatus_DownstreamRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, configFor("ws://127.0.0.1:1"))
		next := &refuser{}
		delivery := b.delivery(0)
		delivery.next = next
		shown := newStatus(b.host.Report)
		conn := &connection{delivery: delivery, logger: delivery.logger, status: shown, failures: &failureLog{}, telemetry: b.wsReceiver.telemetry}
		look := func(now time.Time) {
			delivery.refusal.remind(now, delivery.logger)
			shown.set(0, downstreamTrouble, delivery.refusal.trouble(now))
		}
		ctx := wsevent.ContextWithDelivery(t.Context(), instant(time.Now()))
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn.delivery.deliver(ctx, &batch{logs: threeRecords(), size: 3, arrival: time.Now()})
		}()
		for range 10 {
			time.Sleep(time.Second)
			look(time.Now())
		}
		assert.Equal(t, componentstatus.StatusNone, b.host.LastStatus(), "a short refusal is no trouble")
		for range 170 {
			time.Sleep(time.Second)
			look(time.Now())
		}
		assert.Equal(t, componentstatus.StatusRecoverableError, b.host.LastStatus())
		assert.Len(t, b.host.Statuses(), 1, "one state is reported once")
		require.ErrorContains(t, b.host.LastEvent().Err(), "not reading: downstream refuses events since 2000-01-01T00:00:00Z, last error: downstream is full")
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("Downstream refuses events").Len())
		assert.Equal(t, 3, b.logs.FilterMessageSnippet("still refuses").Len(), "each minute")
		next.ok.Store(true)
		<-done
		look(time.Now())
		assert.Equal(t, componentstatus.StatusOK, b.host.LastStatus())
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("takes events again").Len())
		assert.Greater(t, next.lags[len(next.lags)-1], 3*time.Minute, "the call says how far delivery is")
	})
}

// instant is a Delivery that is at one time.
type instant time.Time

func (instant) Source() string                    { return "ccaas_ws/0" }
func (i instant) DeliveredTo(time.Time) time.Time { return time.Time(i) }

func TestConnection_UnreadDataIsGap(t *testing.T) {
	t.Parallel()
	inMemory(t, func(c *Config, _ *memoryPlatform) { c.Batch.MaxEvents = 1 }, func(t *testing.T, b *bench, p *memoryPlatform, socket *websocket.Conn) {
		time.Sleep(time.Second)
		b.downstream.answer(errRefused)
		blocked := time.Now()
		for id := range 3 {
			send(t, socket, of("globex", id))
		}
		time.Sleep(10 * time.Second)
		_ = socket.Close()
		b.downstream.answer(nil)
		<-p.sockets
		time.Sleep(time.Second)
		var gap *taken
		for _, record := range b.downstream.records() {
			switch {
			case record.EventName() == wsevent.StreamGap && gap == nil:
				gap = &record
			case record.EventName() == wsevent.StreamDisconnected:
				require.NotNil(t, gap, "the gap comes first")
			}
		}
		require.NotNil(t, gap)
		assert.Equal(t, blocked.UnixMilli(), gap.integer(t, wsevent.GapStart), "since when nothing was read")
		assert.GreaterOrEqual(t, gap.integer(t, wsevent.GapEnd), blocked.Add(10*time.Second).UnixMilli())
		assert.Equal(t, "reset", gap.text(wsevent.StreamCause))
	})
}

// sumOf is the sum of a counter without attributes.
func sumOf(t *testing.T, b *bench, name string) int64 {
	t.Helper()
	metric, err := b.telemetry.GetMetric(name)
	require.NoError(t, err)
	sum, ok := metric.Data.(metricdata.Sum[int64])
	require.True(t, ok)
	var all int64
	for _, point := range sum.DataPoints {
		all += point.Value
	}
	return all
}

// Connections with common state wait for each other within a frame: one of them then
// owns its batch until downstream accepts a batch of another.
func TestStatus_RefusalWhileFrameIsBlocked(t *testing.T) {
	t.Parallel()
	b := newBench(t, configFor("ws://127.0.0.1:1"))
	var events []*componentstatus.Event
	conn, err := b.connection(0, newStatus(func(event *componentstatus.Event) { events = append(events, event) }), plainDecode)
	require.NoError(t, err)
	began := time.Now()
	o := conn.batcher.acquire(began)
	conn.delivery.refusal.begin(began)
	conn.delivery.refusal.refused(began, errRefused, conn.logger)
	conn.tick(began.Add(16 * time.Second))
	o.release()
	require.NotEmpty(t, events)
	require.ErrorContains(t, events[len(events)-1].Err(), "not reading: downstream refuses events")
}
