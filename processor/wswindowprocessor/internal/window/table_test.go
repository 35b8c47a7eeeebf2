// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table does what a map does, also where many hashes share their low bits and
// chains wrap around the end of the slice.
func TestTable_EqualsAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 5))
		spread := []uint64{1 << 3, 1 << 6, 1 << 40}[seed%3]
		var channels table
		known := map[uint64]channel{}
		for range 400 {
			id := random.Uint64N(40)*spread + spread - 1 - random.Uint64N(2)
			switch random.IntN(5) {
			case 0, 1, 2:
				c := newChannel(random.Int64N(1000), MessageSend)
				channels.put(id, c)
				known[id] = c
			case 3:
				before := map[uint64]bool{}
				for i := range channels.slots {
					before[channels.slots[i].id] = true
				}
				channels.remove(id, func(moved uint64) { require.True(t, before[moved] && moved != id) })
				delete(known, id)
			case 4:
				limit := random.Int64N(100)
				channels.each(func(id uint64, c channel) bool {
					if c.lastEventAt() >= limit {
						return false
					}
					channels.remove(id, func(uint64) {})
					delete(known, id)
					return true
				})
			}
			require.Equal(t, len(known), channels.used)
			for id, c := range known {
				found := channels.find(id)
				require.NotNil(t, found)
				require.Equal(t, c, *found)
			}
			require.Nil(t, channels.find(7*spread+12_345_678_901))
		}
		seen := map[uint64]channel{}
		channels.each(func(id uint64, c channel) bool {
			seen[id] = c
			return false
		})
		require.Equal(t, known, seen)
	}
}

// A round through all channels misses none that was there all the time, whatever
// comes and goes meanwhile.
func TestState_FullSnapshotMissesNoChannel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 9))
		config := defaults()
		config.TrackChanges = true
		e := New(config)
		for id := range uint64(200) {
			live(e, acme, at(ConnectionOpen, 0, id*8+1))
		}
		e.SaveChanges()
		now := int64(1)
		var pieces [][]byte
		for last := false; !last; now++ {
			var piece []byte
			piece, last = e.SaveChannels(1 + random.IntN(5))
			pieces = append(pieces, piece)
			live(e, acme, at(ConnectionClose, now*500, random.Uint64N(200)*8+1), at(ConnectionOpen, now*500, random.Uint64N(1<<20)*8+3))
		}
		if changes := e.SaveChanges(); changes != nil {
			pieces = append(pieces, changes)
		}
		restored := New(config)
		e.SaveStreams(1, func(number int, piece []byte) { require.NoError(t, restored.RestoreStream(number, piece)) })
		for _, piece := range pieces {
			require.NoError(t, restored.RestoreChannels(piece))
		}
		want, got := &e.series[acme].channels, &restored.series[acme].channels
		require.Equal(t, want.used, got.used)
		want.each(func(id uint64, _ channel) bool {
			require.NotNil(t, got.find(id), "seed %d", seed)
			return false
		})
	}
}

// BenchmarkTable compares the table with Go's map: a batch of a thousand events finds its
// channels and updates each. docs/adr/0005 has the ratios.
func BenchmarkTable(b *testing.B) {
	const batch = 1_000
	for _, channels := range []int{1_000, 100_000, 1_000_000} {
		random := rand.New(rand.NewPCG(1, 1))
		ids := make([]uint64, channels)
		for i := range ids {
			ids[i] = random.Uint64() | 1
		}
		events := make([]uint64, 64*batch)
		for i := range events {
			events[i] = ids[random.IntN(channels)]
		}
		run := func(name string, observe func(batch []uint64)) {
			b.Run(fmt.Sprintf("%s/channels=%d", name, channels), func(b *testing.B) {
				for n := 0; b.Loop(); n++ {
					at := n % 64 * batch
					observe(events[at : at+batch])
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/event")
			})
		}
		var own table
		known := make(map[uint64]channel, channels)
		for _, id := range ids {
			own.put(id, channel{})
			known[id] = channel{}
		}
		touched := uint64(0)
		run("table", func(batch []uint64) {
			for _, id := range batch {
				touched += own.prefetch(id)
			}
			for _, id := range batch {
				own.find(id).seen += 4
			}
		})
		run("map", func(batch []uint64) {
			for _, id := range batch {
				c := known[id]
				c.seen += 4
				known[id] = c
			}
		})
	}
}

// The memory of channels and series is within its budget: 64 B a channel, 2 KiB a series.
func TestBudget_Memory(t *testing.T) { //nolint:paralleltest // it measures the heap
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	const series, channels = 2_000, 400_000
	before := heap()
	bare, _, _ := populated(series, series)
	empty := heap()
	full, _, ids := populated(series, channels)
	clear(ids)
	ids = nil
	after := heap()
	require.LessOrEqual(t, float64(empty-before)/series, 2048.0, "bytes per series")
	require.LessOrEqual(t, (float64(after)-float64(empty)-float64(empty-before))/channels, 64.0, "bytes per channel")
	runtime.KeepAlive(bare)
	runtime.KeepAlive(full)
	_ = ids
}
