// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package ttlset remembers what was seen of late, so that it is noticed when it
// comes again. It is pure: time is an argument. Memory is bounded, and a look costs
// one line of the cache.
package ttlset

import "time"

const (
	// ticks divide the window; what was seen is forgotten to this accuracy.
	ticks = 8
	// places in a bucket, so that it fills 64 bytes.
	places = 7
	// smallest is the number of buckets to begin with.
	smallest = 64
)

// Set remembers keys for a window of time, or for less when there are more of them
// than it may hold: then the oldest are forgotten first.
type Set struct {
	tick       int64 // nanoseconds
	now        int64 // the present tick
	swept      int64 // when what was too old was last removed
	maxBuckets int   // buckets
	buckets    []bucket
	dropped    int64
}

// bucket holds the keys that fall to it. A key of 0 is none.
type bucket struct {
	keys    [places]uint64
	ages    [places]uint8 // the tick in which the key was seen, modulo 256
	sources uint8         // a bit for each key: who saw it
}

// New makes a set that remembers for the window, at most about so many keys.
func New(window time.Duration, most int) *Set {
	buckets := smallest
	for buckets*places/2 < most {
		buckets *= 2
	}
	return &Set{tick: max(int64(window)/ticks, 1), maxBuckets: buckets, buckets: make([]bucket, smallest)}
}

// Dropped is how many keys were forgotten before their time.
func (s *Set) Dropped() int64 { return s.dropped }

// Bytes is how much memory the set takes.
func (s *Set) Bytes() int { return len(s.buckets) * 64 }

// Touch brings the bucket of a key into the cache. The result says nothing; it keeps
// the compiler from leaving the load out.
func (s *Set) Prefetch(key uint64) uint64 { return s.bucket(key).keys[0] }

// Seen notes a key, and says whether it was seen within the window, and whether
// the one who saw it first has the same mark. Time that goes back stands still.
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
		if live {
			s.dropped++
		}
		b.set(i, key, at, mark)
		return false, false
	}
}

func (s *Set) bucket(key uint64) *bucket { return &s.buckets[key>>32&uint64(len(s.buckets)-1)] }

// pass lets time pass. An age is told modulo 256 ticks, so that a key which was not
// removed in time would be young again.
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

// sweep removes what is too old.
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

// oldest is the place to take for a new key, and whether what stands there is
// still to be remembered.
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

// grow doubles the buckets. Every key has room: those of one bucket go into two.
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
