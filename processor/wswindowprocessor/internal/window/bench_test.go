// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// manyTags gives n sets of tags, ten channel types to a stream.
func manyTags(n int) []wsevent.Tags {
	tags := make([]wsevent.Tags, n)
	for i := range tags {
		tags[i] = wsevent.Tags{
			TenantID:    fmt.Sprintf("tenant-%d", i/10),
			Region:      "us-east-1",
			ChannelType: fmt.Sprintf("type-%d", i%10),
		}
	}
	return tags
}

// populated is an Engine with open channels spread evenly over its series, and
// their hashes.
func populated(series, channels int) (*Engine, []wsevent.Tags, []uint64) {
	config := defaults()
	config.Overlap = time.Second
	config.MaxSeries = max(config.MaxSeries, series)
	e := New(config)
	tags, ids := manyTags(series), make([]uint64, channels)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range ids {
		ids[i] = random.Uint64() | 1
		observe(e, tags[i%series], []Event{at(ConnectionOpen, 0, ids[i])}, base)
	}
	return e, tags, ids
}

// BenchmarkObserve is the cost of a message on an open channel, in batches of
// 100 events of one series, over an event time that goes on.
func BenchmarkObserve(b *testing.B) {
	for _, size := range []struct{ series, channels int }{
		{1, 1_000}, {1, 100_000}, {1, 1_000_000}, {100, 100_000}, {2_000, 100_000}, {2_000, 1_000_000},
	} {
		b.Run(fmt.Sprintf("series=%d/channels=%d", size.series, size.channels), func(b *testing.B) {
			e, tags, ids := populated(size.series, size.channels)
			random := rand.New(rand.NewPCG(2, 2))
			per := size.channels / size.series
			batches := make([][]Event, 512)
			for i := range batches {
				for range 100 {
					id := ids[random.IntN(per)*size.series+i%size.series]
					batches[i] = append(batches[i], at(MessageSend+Kind(random.IntN(2)), 0, id))
				}
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				batch := batches[n%len(batches)]
				// 20,000 events a second: a window ends every 1,800 batches.
				now := base + int64(n)*5
				for i := range batch {
					batch[i].Time = now
				}
				observe(e, tags[(n%len(batches))%size.series], batch, now)
				n++
				e.due = e.due[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*100), "ns/event")
		})
	}
}

// BenchmarkClose is the cost of ending one window of every series, the time that
// events wait for.
func BenchmarkClose(b *testing.B) {
	for _, size := range []struct{ series, channels int }{
		{1, 1_000}, {100, 1_000}, {2_000, 1_000}, {6_000, 100_000}, {1, 1_000_000}, {100, 1_000_000}, {2_000, 1_000_000},
	} {
		b.Run(fmt.Sprintf("series=%d/channels=%d", size.series, size.channels), func(b *testing.B) {
			e, _, _ := populated(size.series, max(size.channels, size.series))
			// A TTL is looked at every 25 windows, here with the share that falls on each.
			b.ReportAllocs()
			now, n := base+11_000, 0
			for b.Loop() {
				e.Advance(now)
				if len(e.due) != size.series && n > 0 {
					b.Fatalf("%d windows, want %d", len(e.due), size.series)
				}
				e.due = e.due[:0]
				now += 9_000
				n++
				if n%1_000 == 0 { // before the channels expire
					b.StopTimer()
					e, _, _ = populated(size.series, max(size.channels, size.series))
					now, n = base+11_000, 0
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.series), "ns/series")
		})
	}
}

// BenchmarkChannelMemory reports the heap of a million open channels.
func BenchmarkChannelMemory(b *testing.B) {
	for _, series := range []int{1, 100, 2_000, 6_000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			for b.Loop() {
				var before, empty, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				bare, _, _ := populated(series, series)
				runtime.GC()
				runtime.ReadMemStats(&empty)
				full, _, ids := populated(series, 1_000_000)
				clear(ids)
				ids = nil
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-empty.HeapAlloc)/1e6, "B/channel")
				b.ReportMetric(float64(empty.HeapAlloc-before.HeapAlloc)/float64(series), "B/series")
				runtime.KeepAlive(bare)
				runtime.KeepAlive(full)
				_ = ids
			}
		})
	}
}
