// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package ttlset is a set of keys with an expiry. It is pure: time is an argument.
// Memory is bounded, and a lookup reads one cache line.
package ttlset

import "time"

const (
	// ticks divide the window: a key expires with this accuracy.
	ticks = 8
	// slots of a bucket, so that it fills 64 bytes.
	slots = 7
	// initialBuckets is the number of buckets of a new set.
	initialBuckets = 64
)

// Set holds keys for a window of time. Beyond its capacity the oldest keys are
// evicted first.
type Set struct {
	tick       int64 // nanoseconds
	now        int64 // current tick
	swept      int64 // tick of the last removal of expired keys
	maxBuckets int
	buckets    []bucket
}

// bucket holds the keys that hash to it. A key of 0 is an empty slot.
type bucket struct {
	keys    [slots]uint64
	ages    [slots]uint8 // tick in which the key was added, modulo 256
	sources uint8        // one bit for each key: the source that added it
}

// New returns a set that holds about capacity keys, each for the window.
func New(window time.Duration, most int) *Set {
	buckets := initialBuckets
	for buckets*slots/2 < most {
		buckets *= 2
	}
	return &Set{tick: max(int64(window)/ticks, 1), maxBuckets: buckets, buckets: make([]bucket, initialBuckets)}
}

// Prefetch loads the bucket of a key into the CPU cache. The result has no meaning; it
// keeps the compiler from removing the load.
func (s *Set) Prefetch(key uint64) uint64 { return s.bucket(key).keys[0] }

// Add adds a key at a time in nanoseconds. It returns whether the key was added within
// the window before, and whether by the same source. A time before that of an earlier
// call counts as the time of that call.
func (s *Set) Add(key uint64, now int64, mark bool) (seen, sameMark bool) {
	if key == 0 {
		key = 1
	}
	if now >= (s.now+1)*s.tick {
		s.advance(now / s.tick)
	}
	at := uint8(s.now) //nolint:gosec // modulo 256 is what is meant
	for {
		b := s.bucket(key)
		for i := range b.keys {
			if b.keys[i] == key && at-b.ages[i] <= ticks {
				return true, b.sources>>i&1 == 1 == mark
			}
		}
		i, live := b.oldest(at)
		if live && len(s.buckets) < s.maxBuckets {
			s.grow(at)
			continue
		}
		b.set(i, key, at, mark)
		return false, false
	}
}

func (s *Set) bucket(key uint64) *bucket { return &s.buckets[key>>32&uint64(len(s.buckets)-1)] }

// advance sets the current tick. Ages are modulo 256 ticks: expired keys are removed
// before their age wraps around.
func (s *Set) advance(to int64) {
	switch {
	case to-s.now > ticks:
		clear(s.buckets)
		s.swept = to
	case to-s.swept > 128:
		s.sweep(uint8(to)) //nolint:gosec // modulo 256 is what is meant
		s.swept = to
	}
	s.now = to
}

// sweep removes expired keys.
func (s *Set) sweep(at uint8) {
	for n := range s.buckets {
		b := &s.buckets[n]
		for i := range b.keys {
			if at-b.ages[i] > ticks {
				b.keys[i] = 0
			}
		}
	}
}

// oldest returns the slot for a new key, and whether its present key is not expired.
func (b *bucket) oldest(at uint8) (place int, live bool) {
	oldest := uint8(0)
	for i := range b.keys {
		age := at - b.ages[i]
		if b.keys[i] == 0 || age > ticks {
			return i, false
		}
		if age >= oldest {
			place, oldest = i, age
		}
	}
	return place, true
}

func (b *bucket) set(i int, key uint64, at uint8, mark bool) {
	b.keys[i], b.ages[i] = key, at
	b.sources &^= 1 << i
	if mark {
		b.sources |= 1 << i
	}
}

// grow doubles the number of buckets. Every key finds a slot: the keys of one bucket
// are spread over two.
func (s *Set) grow(at uint8) {
	old := s.buckets
	s.buckets = make([]bucket, 2*len(old))
	mask := uint64(len(s.buckets) - 1)
	for n := range old {
		b := &old[n]
		for i := range b.keys {
			key := b.keys[i]
			if key == 0 || at-b.ages[i] > ticks {
				continue
			}
			to := &s.buckets[key>>32&mask]
			free, _ := to.oldest(at)
			to.set(free, key, b.ages[i], b.sources>>i&1 == 1)
		}
	}
}
