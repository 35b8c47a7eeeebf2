// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// logged is what outlives the owners of a partition.
type logged struct {
	mutex    sync.Mutex
	pieces   map[string][]byte
	position int64
	owner    *owned
}

// owned is a partition in the hands of one of them.
type owned struct {
	of    *logged
	found map[string][]byte
	hole  bool
	leave func(context.Context)

	mutex  sync.Mutex
	readTo time.Time
	fails  bool
}

// claim shuts out whoever had the partition.
func (l *logged) claim() *owned {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.owner = &owned{of: l, found: maps.Clone(l.pieces), readTo: time.Now()}
	return l.owner
}

func (*owned) String() string { return "events/3" }

func (o *owned) Own(leave func(context.Context)) error {
	if o.leave != nil {
		return errors.New("attended already")
	}
	o.leave = leave
	return nil
}

func (o *owned) Get(key string) []byte { return o.found[key] }

func (o *owned) Save(_ context.Context, position int64, operations ...*storage.Operation) error {
	o.of.mutex.Lock()
	defer o.of.mutex.Unlock()
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.of.owner != o || o.fails {
		return errors.New("somebody else has the partition")
	}
	if o.of.pieces == nil {
		o.of.pieces = map[string][]byte{}
	}
	for _, operation := range operations {
		if operation.Type == storage.Delete {
			delete(o.of.pieces, operation.Key)
		} else {
			o.of.pieces[operation.Key] = operation.Value
		}
	}
	o.of.position = position
	return nil
}

func (o *owned) CaughtUpTo() time.Time {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.readTo.IsZero() {
		return time.Now()
	}
	return o.readTo
}

func (o *owned) DataLoss() bool { return o.hole }

// catchUp lets the partition be read to its end from now on.
func (o *owned) catchUp() *owned {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.readTo = time.Time{}
	return o
}

func startPlain(t *testing.T, sink *consumertest.LogsSink) *windowProcessor {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.Overlap = 0
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), config, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	return p
}

// offer gives batches of a partition, the first of them behind next.
func (o *owned) offer(t *testing.T, p *windowProcessor, next int64, batches ...plog.Logs) {
	t.Helper()
	for _, logs := range batches {
		next++
		ctx := partition.NewContext(t.Context(), partition.Batch{Partition: o, Next: next, At: time.Now()})
		require.NoError(t, p.ConsumeLogs(ctx, logs))
	}
}

// open says that the partition is here.
func (o *owned) open(t *testing.T, p *windowProcessor) {
	t.Helper()
	ctx := partition.NewContext(t.Context(), partition.Batch{Partition: o, Next: o.of.position})
	require.NoError(t, p.ConsumeLogs(ctx, plog.NewLogs()))
}

func TestPartition_StateMovesWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before, after := new(consumertest.LogsSink), new(consumertest.LogsSink)
		log := new(logged)
		first, second := startPlain(t, before), startPlain(t, after)
		one := log.claim().catchUp()
		one.open(t, first)
		one.offer(t, first, 0, event(wsevent.ConnectionOpen, "a"), event(wsevent.MessageSend, "a"))
		time.Sleep(5 * time.Second)
		one.leave(t.Context())
		require.NoError(t, first.Shutdown(t.Context()))
		assert.Equal(t, int64(2), log.position, "all that was counted is saved")

		time.Sleep(2 * time.Second)
		two := log.claim().catchUp()
		two.open(t, second)
		two.offer(t, second, 2, event(wsevent.MessageSend, "a"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		w := last(t, after)
		assert.InDelta(t, 2, field(t, w.Totals, wsevent.FieldMessagesSent), 0)
		for _, w := range windows(t, after) {
			complete, _ := w.Fields.Get(wsevent.FieldComplete)
			assert.True(t, complete.Bool(), "nothing was missed in between")
			assert.InDelta(t, 1, field(t, w.Fields, wsevent.FieldActiveConnections), 0)
		}
		two.leave(t.Context())
		require.NoError(t, second.Shutdown(t.Context()))
	})
}

func TestPartition_OnlySavedWindowsAreEmitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before, after := new(consumertest.LogsSink), new(consumertest.LogsSink)
		log := new(logged)
		zombie, successor := startPlain(t, before), startPlain(t, after)
		one := log.claim().catchUp()
		one.open(t, zombie)
		one.offer(t, zombie, 0, event(wsevent.MessageSend, "a"))
		two := log.claim().catchUp() // the first does not know
		one.offer(t, zombie, 1, event(wsevent.MessageSend, "a"))
		two.open(t, successor)
		two.offer(t, successor, 0, event(wsevent.MessageSend, "a"), event(wsevent.MessageSend, "a"), event(wsevent.MessageSend, "b"))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Empty(t, windows(t, before))
		assert.InDelta(t, 3, field(t, last(t, after).Totals, wsevent.FieldMessagesSent), 0)
		one.leave(t.Context())
		two.leave(t.Context())
		assert.Empty(t, windows(t, before))
		require.NoError(t, zombie.Shutdown(t.Context()))
		require.NoError(t, successor.Shutdown(t.Context()))
	})
}

func TestPartition_ClockDoesNotAdvanceDuringBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		p, partition := startPlain(t, sink), new(logged).claim()
		partition.open(t, p)
		partition.offer(t, p, 0, event(wsevent.MessageSend, "a"))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, windows(t, sink), "there may be more of the window to read")
		partition.catchUp()
		time.Sleep(time.Second)
		synctest.Wait()
		assert.NotEmpty(t, windows(t, sink))
		partition.leave(t.Context())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestPartition_RedeliveredBatchIsCountedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		p, partition := startPlain(t, sink), new(logged).claim().catchUp()
		partition.open(t, p)
		partition.offer(t, p, 0, event(wsevent.MessageSend, "a"))
		partition.offer(t, p, 0, event(wsevent.MessageSend, "a")) // another pipeline refused it
		time.Sleep(20 * time.Second)
		synctest.Wait()
		assert.InDelta(t, 1, field(t, last(t, sink).Totals, wsevent.FieldMessagesSent), 0)
		partition.leave(t.Context())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestPartition_DataLossMakesWindowsIncomplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink, log := new(consumertest.LogsSink), new(logged)
		p, one := startPlain(t, new(consumertest.LogsSink)), log.claim().catchUp()
		one.open(t, p)
		one.offer(t, p, 0, event(wsevent.ConnectionOpen, "a"))
		time.Sleep(5 * time.Second)
		one.leave(t.Context())
		require.NoError(t, p.Shutdown(t.Context()))

		time.Sleep(time.Second)
		p = startPlain(t, sink)
		two := log.claim().catchUp()
		two.hole = true
		two.open(t, p)
		two.offer(t, p, 7, event(wsevent.MessageSend, "a"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		complete, _ := windows(t, sink)[0].Fields.Get(wsevent.FieldComplete)
		assert.False(t, complete.Bool())
		two.leave(t.Context())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestPartition_ShutdownWithoutRevocation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, partition := startPlain(t, new(consumertest.LogsSink)), new(logged).claim().catchUp()
		partition.open(t, p)
		partition.offer(t, p, 0, event(wsevent.MessageSend, "a"))
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// A round through the channels that is under way when the partition goes ends with
// it. What it leaves behind would be found once the tests are through.
func TestPartition_RevokedShardIsReleased(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{true, false} {
		p, partition := startPlain(t, new(consumertest.LogsSink)), new(logged).claim().catchUp()
		partition.open(t, p)
		partition.offer(t, p, 0, manyEvents(2_500))
		s := p.partitions.all()[0]
		s.stop()
		s.done.Wait()
		require.NoError(t, s.save(t.Context(), time.Now(), false), "a part of the channels")
		if saved {
			partition.leave(t.Context())
		}
		require.NoError(t, p.Shutdown(t.Context()))
	}
}

// Own telemetry is of all shards together, and does not fall when one goes.
func TestPartition_StatsAreSums(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := startPlain(t, new(consumertest.LogsSink))
		one, two := new(logged).claim().catchUp(), new(logged).claim().catchUp()
		for _, partition := range []*owned{one, two} {
			partition.open(t, p)
			partition.offer(t, p, 0, event(wsevent.ConnectionOpen, "a"))
		}
		consume(t, p, event(wsevent.ConnectionOpen, "a"))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		all := p.stats()
		assert.Equal(t, 3, all.Channels)
		one.leave(t.Context())
		left := p.stats()
		assert.Equal(t, 2, left.Channels)
		assert.Equal(t, all.Windows, left.Windows)
		two.leave(t.Context())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func BenchmarkConsumePartition(b *testing.B) {
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config), consumertest.NewNop())
	require.NoError(b, err)
	require.NoError(b, p.Start(b.Context(), componenttest.NewNopHost()))
	owner, logs, next := new(logged).claim(), manyEvents(1_000), int64(0)
	b.ReportAllocs()
	for b.Loop() {
		next++
		ctx := partition.NewContext(b.Context(), partition.Batch{Partition: owner, Next: next, At: time.Now()})
		if err := p.ConsumeLogs(ctx, logs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1_000, "ns/event")
	owner.leave(b.Context())
	require.NoError(b, p.Shutdown(b.Context()))
}
