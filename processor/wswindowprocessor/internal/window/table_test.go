// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math/rand/v2"
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
