// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

func onDisk() *Config {
	config := createDefaultConfig().(*Config)
	config.Overlap = 0
	config.Storage = &owntest.StorageID
	return config
}

// startOn starts a processor with a storage. It ends with the test.
func startOn(t *testing.T, d *owntest.Storage, next consumer.Logs) (*windowProcessor, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	p, err := newProcessor(set, onDisk(), next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), owntest.NewHost(d)))
	return p, logs
}

func consume(t *testing.T, p *windowProcessor, batches ...plog.Logs) {
	t.Helper()
	for _, logs := range batches {
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	}
}

// last returns the latest received window.
func last(t *testing.T, sink *consumertest.LogsSink) wslog.Record {
	t.Helper()
	found := windows(t, sink)
	require.NotEmpty(t, found)
	return found[len(found)-1]
}

func TestRestore_KillResumesFromTheEmittedWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before, after := new(consumertest.LogsSink), new(consumertest.LogsSink)
		d := owntest.NewStorage()
		p, _ := startOn(t, d, before)
		consume(t, p, event(wsevent.ConnectionOpen, "a"), event(wsevent.ConnectionOpen, "b"), event(wsevent.MessageSend, "a"))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		emitted := last(t, before)
		killed := d.Copy() // all that a kill leaves
		require.NoError(t, p.Shutdown(t.Context()))

		p, logs := startOn(t, killed, after)
		assert.Equal(t, 1, logs.FilterMessageSnippet("Resumed").Len())
		consume(t, p, event(wsevent.ConnectionClose, "b"), event(wsevent.MessageSend, "a"))
		time.Sleep(25 * time.Second)
		synctest.Wait()
		now := last(t, after)
		assert.InDelta(t, 1, field(t, now.Fields, wsevent.FieldActiveConnections), 0, "a is still open, b is not")
		assert.InDelta(t, 2, field(t, now.Totals, wsevent.FieldMessagesSent), 0)
		assert.InDelta(t, 2, field(t, now.Totals, wsevent.FieldConnectionsOpened), 0)
		assert.Equal(t, emitted.Since, now.Since)
		for _, w := range windows(t, after) {
			assert.Greater(t, w.Start, emitted.Start, "no window is emitted twice")
			assert.GreaterOrEqual(t, field(t, w.Totals, wsevent.FieldMessagesSent), field(t, emitted.Totals, wsevent.FieldMessagesSent))
		}
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestRestore_OpenWindowContinues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before, after := new(consumertest.LogsSink), new(consumertest.LogsSink)
		d := owntest.NewStorage()
		p, _ := startOn(t, d, before)
		consume(t, p, event(wsevent.MessageSend, "a"))
		time.Sleep(time.Second)
		require.NoError(t, p.Shutdown(t.Context()))
		assert.Empty(t, windows(t, before), "the open window is saved and not emitted as incomplete")
		time.Sleep(time.Second)

		p, _ = startOn(t, d, after)
		consume(t, p, event(wsevent.MessageSend, "a"))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		found := windows(t, after)
		require.NotEmpty(t, found)
		assert.InDelta(t, 2, field(t, found[0].Fields, wsevent.FieldMessagesSent), 0)
		complete, _ := found[0].Fields.Get(wsevent.FieldComplete)
		assert.False(t, complete.Bool(), "nothing was received for a second")
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestRestore_WaitingWindowsSurviveAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusing := &owntest.LogsSink{Refuse: func(logs plog.Logs) error {
			if isWindows(logs) {
				return errors.New("full")
			}
			return nil
		}}
		d := owntest.NewStorage()
		p, _ := startOn(t, d, refusing)
		consume(t, p, event(wsevent.MessageSend, "a"))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		killed := d.Copy()
		require.NoError(t, p.Shutdown(t.Context()), "they are saved")

		after := new(consumertest.LogsSink)
		p, _ = startOn(t, killed, after)
		time.Sleep(time.Second)
		synctest.Wait()
		found := windows(t, after)
		require.NotEmpty(t, found)
		assert.InDelta(t, 1, field(t, found[0].Fields, wsevent.FieldMessagesSent), 0)
		assert.False(t, killed.Has(windowsKey), "deleted once they are accepted")
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestCheckpoint_FailureIsReportedAsStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := owntest.NewStorage()
		reporting := owntest.NewHost(d)
		p, err := newProcessor(processortest.NewNopSettings(metadata.Type), onDisk(), consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), reporting))
		d.SetFull(true)
		time.Sleep(25 * time.Second)
		synctest.Wait()
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, reporting.Statuses())
		d.SetFull(false)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, reporting.Statuses())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestCheckpoint_FullDiskDoesNotStopWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.LogsSink)
		d := owntest.NewStorage()
		p, logs := startOn(t, d, sink)
		d.SetFull(true)
		consume(t, p, event(wsevent.ConnectionOpen, "a"))
		time.Sleep(45 * time.Second)
		synctest.Wait()
		assert.NotEmpty(t, windows(t, sink))
		assert.Equal(t, 1, logs.FilterMessageSnippet("cannot be saved").Len(), "logged once")
		d.SetFull(false)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, logs.FilterMessageSnippet("saved again").Len())
		require.NoError(t, p.Shutdown(t.Context()))

		after := new(consumertest.LogsSink)
		p, _ = startOn(t, d, after)
		consume(t, p, event(wsevent.MessageSend, "a"))
		time.Sleep(25 * time.Second)
		synctest.Wait()
		assert.InDelta(t, 1, field(t, last(t, after).Fields, wsevent.FieldActiveConnections), 0)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// Delivered windows whose deletion failed are not retried without end.
func TestCheckpoint_WindowsDeliveredWhileTheDiskWasFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := owntest.NewStorage()
		var once sync.Once
		sink := &owntest.LogsSink{Refuse: func(logs plog.Logs) error {
			if isWindows(logs) {
				once.Do(func() { d.SetFull(true) }) // between the checkpoint and the deletion
			}
			return nil
		}}
		config := onDisk()
		config.CheckpointInterval = 2 * time.Second
		p, err := newProcessor(processortest.NewNopSettings(metadata.Type), config, sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), owntest.NewHost(d)))
		consume(t, p, event(wsevent.MessageSend, "a"))
		time.Sleep(13 * time.Second)
		synctest.Wait()
		assert.NotEmpty(t, windows(t, &sink.LogsSink))
		assert.True(t, d.Has(windowsKey))
		d.SetFull(false)
		time.Sleep(5 * time.Second) // checkpoints, but no other window
		synctest.Wait()
		assert.False(t, d.Has(windowsKey))
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// The next checkpoint after a full disk saves everything, for any number of channels.
func TestCheckpoint_FirstAfterAFullDiskIsComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const channels = 5_000
		d := owntest.NewStorage()
		p, _ := startOn(t, d, new(consumertest.LogsSink))
		name := func(i int) string { return fmt.Sprint("channel-", i) }
		for i := range channels {
			consume(t, p, event(wsevent.ConnectionOpen, name(i)))
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		d.SetFull(true)
		for i := range channels - 10 {
			consume(t, p, event(wsevent.ConnectionClose, name(i)))
		}
		time.Sleep(25 * time.Second)
		d.SetFull(false)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		killed := d.Copy()
		require.NoError(t, p.Shutdown(t.Context()))

		p, _ = startOn(t, killed, new(consumertest.LogsSink))
		assert.Equal(t, 10, p.stats().Channels)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// After a restart no window of a stream is emitted until a record of it arrives: the
// platform may be down too.
func TestRestore_NoWindowsUntilTheStreamIsReceived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := owntest.NewStorage()
		p, _ := startOn(t, d, new(consumertest.LogsSink))
		consume(t, p, event(wsevent.ConnectionOpen, "a"))
		time.Sleep(15 * time.Second)
		require.NoError(t, p.Shutdown(t.Context()))

		after := new(consumertest.LogsSink)
		p, _ = startOn(t, d, after)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Empty(t, windows(t, after))
		consume(t, p, event(wsevent.StreamConnected, ""))
		time.Sleep(25 * time.Second)
		synctest.Wait()
		found := windows(t, after)
		require.NotEmpty(t, found)
		assert.InDelta(t, 1, field(t, found[len(found)-1].Fields, wsevent.FieldActiveConnections), 0)
		complete, _ := found[len(found)-1].Fields.Get(wsevent.FieldComplete)
		assert.True(t, complete.Bool())
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// If any single key is damaged or lost, the processor starts, logs the key, quarantines
// the value and continues to count.
func TestRestore_DamagedKeyIsQuarantined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := owntest.NewStorage()
		p, _ := startOn(t, d, new(consumertest.LogsSink))
		for i := range 50 {
			consume(t, p, event(wsevent.ConnectionOpen, fmt.Sprint("channel-", i)))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		intact := d.Copy()
		require.NoError(t, p.Shutdown(t.Context()))

		for key, value := range intact.Data() {
			for name, spoiled := range map[string][]byte{
				"cut":     value[:len(value)/2],
				"flipped": append(slices.Clone(value[:len(value)-1]), value[len(value)-1]^1),
			} {
				d := intact.Copy()
				d.Put(key, spoiled)
				sink := new(consumertest.LogsSink)
				p, logs := startOn(t, d, sink)
				damaged := logs.FilterMessageSnippet("damaged").All()
				require.NotEmpty(t, damaged, "%s %s", key, name)
				assert.Contains(t, damaged[0].ContextMap()["error"], key)
				assert.Equal(t, spoiled, d.Copy().Data()[state.QuarantineKey(key)])
				consume(t, p, event(wsevent.MessageSend, "channel-49"))
				time.Sleep(25 * time.Second)
				synctest.Wait()
				opened := field(t, last(t, sink).Totals, wsevent.FieldConnectionsOpened)
				assert.GreaterOrEqual(t, opened, 30.0, "%s %s: it, or the one before it, is used", key, name)
				require.NoError(t, p.Shutdown(t.Context()))
			}
		}
	})
}

func TestStart_UnknownStorageIsAnError(t *testing.T) {
	t.Parallel()
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), onDisk(), consumertest.NewNop())
	require.NoError(t, err)
	err = p.Start(t.Context(), owntest.NewHost(nil))
	require.ErrorContains(t, err, "storage: disk: there is no such extension")
	require.NoError(t, p.Shutdown(t.Context()))
}

// A file that cannot be opened does not stop the processor.
func TestStart_WithoutStorageThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		set := processortest.NewNopSettings(metadata.Type)
		set.Logger = zap.New(core)
		sink := new(consumertest.LogsSink)
		p, err := newProcessor(set, onDisk(), sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), owntest.NewHost(brokenStorage{owntest.NewStorage()})))
		assert.Equal(t, 1, logs.FilterMessageSnippet("cannot be opened").Len())
		consume(t, p, event(wsevent.MessageSend, "a"))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		assert.NotEmpty(t, windows(t, sink))
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// brokenStorage is a storage whose file is damaged.
type brokenStorage struct{ *owntest.Storage }

func (brokenStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return nil, errors.New("invalid database")
}

// A checkpoint with a million channels writes a part of them.
func BenchmarkCheckpoint(b *testing.B) {
	for _, channels := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("channels=%d", channels), func(b *testing.B) {
			p, err := newProcessor(processortest.NewNopSettings(metadata.Type), onDisk(), consumertest.NewNop())
			require.NoError(b, err)
			logs := plog.NewLogs()
			for i := range channels {
				event(wsevent.ConnectionOpen, fmt.Sprint("channel-", i)).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
			}
			require.NoError(b, p.ConsumeLogs(b.Context(), logs))
			store := newCheckpointStore(state.NewStore(owntest.NewStorage(), "disk", zap.NewNop(), nil))
			p.own.emitter.store = store
			require.NoError(b, p.own.save(b.Context(), time.Now(), true))
			size, n := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				c := store.collect(p.own.engine, false, time.Now().UnixMilli())
				require.NoError(b, store.write(b.Context(), c, plog.NewLogs()))
				size += c.size
				n++
			}
			p.own.engine.EndSnapshot()
			b.ReportMetric(float64(size)/float64(n), "B/checkpoint")
		})
	}
}
