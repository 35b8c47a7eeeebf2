// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ttlset

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const window = 2 * time.Minute

func TestBucket_IsOneCacheLine(t *testing.T) {
	t.Parallel()
	assert.Equal(t, uintptr(64), unsafe.Sizeof(bucket{}))
}

// A map with times is the oracle: within the window a key is known, and well after
// it is not. In between is the accuracy of a tick.
func TestSet_AgainstMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	set, oracle := New(window, 1<<20), map[uint64]int64{}
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC).UnixNano()
	for range 300_000 {
		now += random.Int64N(int64(4 * time.Millisecond))
		key := xxhash.Sum64([]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32() & 7)})
		seen, _ := set.Add(key, now, false)
		first, known := oracle[key]
		age := time.Duration(now - first)
		switch {
		case !known:
			require.False(t, seen)
		case age <= window:
			require.True(t, seen, age)
		case age > window+2*window/ticks:
			require.False(t, seen, age)
		}
		if !seen {
			oracle[key] = now
		}
	}
}

// Ages are modulo 256 ticks.
func TestSet_ExpiredKeyStaysExpired(t *testing.T) {
	t.Parallel()
	for later := range int64(3 * 256) {
		set := New(window, 100)
		set.Add(7, 0, false)
		for tick := range later {
			set.Add(9, (tick+1)*int64(window)/ticks, false)
		}
		seen, _ := set.Add(7, later*int64(window)/ticks, false)
		require.Equal(t, later <= ticks, seen, later)
	}
}

func TestSet_TimeGoesBack(t *testing.T) {
	t.Parallel()
	set := New(window, 100)
	set.Add(7, int64(time.Hour), false)
	seen, _ := set.Add(7, int64(time.Minute), false)
	assert.True(t, seen)
}

func TestSet_Sources(t *testing.T) {
	t.Parallel()
	set := New(window, 100)
	look := func(key uint64, mark bool) [2]bool {
		seen, same := set.Add(key, 0, mark)
		return [2]bool{seen, same}
	}
	assert.Equal(t, [2]bool{false, false}, look(0, true))
	assert.Equal(t, [2]bool{true, true}, look(0, true))
	assert.Equal(t, [2]bool{true, false}, look(0, false))
	assert.Equal(t, [2]bool{false, false}, look(7, false))
	assert.Equal(t, [2]bool{true, true}, look(7, false))
}

func TestSet_CapacityEvictsOldest(t *testing.T) {
	t.Parallel()
	set := New(window, 10_000)
	now := int64(0)
	key := func(n int) uint64 { return xxhash.Sum64([]byte{byte(n), byte(n >> 8), byte(n >> 16)}) }
	for n := range 200_000 {
		now += int64(time.Millisecond)
		set.Add(key(n), now, false)
	}
	assert.LessOrEqual(t, len(set.buckets)*64, 4096*64)
	known := 0
	for n := 199_000; n < 200_000; n++ {
		if seen, _ := set.Add(key(n), now, false); seen {
			known++
		}
	}
	assert.Greater(t, known, 950, "the newest are known")
	old := 0
	for n := range 1000 {
		if seen, _ := set.Add(key(n), now, false); seen {
			old++
		}
	}
	assert.Zero(t, old, "the oldest are evicted")
}

func TestSet_GrowsWithKeys(t *testing.T) {
	t.Parallel()
	set := New(window, 1<<20)
	assert.Equal(t, initialBuckets*64, len(set.buckets)*64)
	for n := range 100 {
		set.Add(xxhash.Sum64([]byte{byte(n)}), 0, false)
	}
	assert.LessOrEqual(t, len(set.buckets)*64, 2*initialBuckets*64)
}

func BenchmarkAdd(b *testing.B) {
	for name, rate := range map[string]int64{"1000 per s": 1000, "1000000 per s": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			set, now, n := New(window, 262_144), int64(0), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				now += int64(time.Second) / rate
				set.Add(n*0x9e3779b97f4a7c15, now, false)
			}
		})
	}
}

// BenchmarkAlternatives compares the set with two generations of Go's map and with an expirable LRU, full, at 10,000 events a second,
// one event in ten a duplicate. docs/adr/0020 has the ratios.
func BenchmarkAlternatives(b *testing.B) {
	const capacity, rate = 262_144, 10_000
	run := func(name string, add func(key uint64, now int64)) {
		b.Run(name, func(b *testing.B) {
			now, n := int64(0), uint64(0)
			next := func() {
				n++
				now += int64(time.Second) / rate
				key := n
				if n%10 == 0 {
					key = n - n%1000/2 - 1
				}
				add(key*0x9e3779b97f4a7c15, now)
			}
			for range 2 * capacity {
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
	set := New(window, capacity)
	run("set", func(key uint64, now int64) { set.Add(key, now, false) })

	young, old, turned := map[uint64]int64{}, map[uint64]int64{}, int64(0)
	run("two maps", func(key uint64, now int64) {
		if now-turned > int64(window) || len(young) >= capacity/2 {
			young, old, turned = old, young, now
			clear(young)
		}
		if _, seen := young[key]; !seen {
			if at, seen := old[key]; !seen || now-at > int64(window) {
				young[key] = now
			}
		}
	})

	cache := expirable.NewLRU[uint64, struct{}](capacity, nil, window)
	run("golang-lru", func(key uint64, _ int64) {
		if _, seen := cache.Peek(key); !seen {
			cache.Add(key, struct{}{})
		}
	})
}
