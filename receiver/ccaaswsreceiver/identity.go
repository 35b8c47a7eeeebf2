// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/ttlset"
)

// spread mixes parts of a key; it is a large odd number.
const spread = 0x9e3779b97f4a7c15

// sighting is an event of a batch, as it is remembered: by a hash of 64 bits of its
// own identity. With the most events that can be remembered, ten million, one in
// 1.8 trillion would be taken for another.
type sighting struct {
	key    uint64
	at     time.Duration // of arrival, from whatever beginning
	series int32         // index of the resource in the batch
	record int32         // index of the record in the scope
	scope  uint8         // index of the scope in the resource
	named  bool          // the key is that of an id
	odd    bool          // the number of the socket
}

// sightingOf is that of the last event of a scope. An event without an id is known
// by its type, channel and time.
func sightingOf(e *jsonevent.Event, of *scope, at time.Duration, socket int) sighting {
	s := sighting{
		at: at, odd: socket&1 == 1, named: len(e.ID) > 0,
		series: int32(of.series.number), scope: uint8(of.number), record: int32(of.size - 1), //nolint:gosec // no more than a batch has
	}
	kind := (uint64(e.Type)+1)*spread + of.series.salt
	if s.named {
		s.key = kind*spread ^ xxhash.Sum64(e.ID)
	} else {
		s.key = ((kind+uint64(e.Time))*spread ^ xxhash.Sum64(e.ChannelID)) * spread //nolint:gosec // mixed, not counted
	}
	return s
}

// duplicates knows the events of late by their own identity.
type duplicates struct {
	seen    *ttlset.Set
	touched uint64 // keeps what touches memory from being left out
}

// newDuplicates is nil where events are not remembered.
func newDuplicates(set DeduplicationConfig) *duplicates {
	if set.Window == 0 {
		return nil
	}
	return &duplicates{seen: ttlset.New(set.Window, set.MaxEvents)}
}

// together is how many events are looked up at once: so many waits for memory
// overlap, and what they bring fits the nearest cache.
const together = 128

// sift notes the events of a batch, and takes those out that came before.
func (d *duplicates) sift(b *batch) {
	if d == nil {
		return
	}
	again := b.sightings[:0] // in their place, behind those that are still to be looked at
	for rest := b.sightings; len(rest) > 0; {
		some := rest[:min(together, len(rest))]
		rest = rest[len(some):]
		for i := range some {
			d.touched ^= d.seen.Prefetch(some[i].key)
		}
		for i := range some {
			if d.has(&some[i]) {
				again = append(again, some[i])
			}
		}
	}
	if len(again) > 0 {
		b.leaveOut(again)
	}
}

// has notes an event, and says whether it came before. Two of one socket may have
// type, channel and time in common and be two: without an id, only what another
// socket has told makes an event a duplicate.
func (d *duplicates) has(s *sighting) bool {
	seen, sameSocket := d.seen.Add(s.key, int64(s.at), !s.named && s.odd)
	return seen && (s.named || !sameSocket)
}

// leaveOut takes the records of events out of a batch.
func (b *batch) leaveOut(again []sighting) {
	b.size -= len(again)
	b.read.events -= int64(len(again))
	b.read.duplicates += int64(len(again))
	slices.SortFunc(again, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.scope, b.scope), cmp.Compare(a.record, b.record))
	})
	resources := b.logs.ResourceLogs()
	for len(again) > 0 {
		first, record := again[0], int32(-1)
		scope := resources.At(int(first.series)).ScopeLogs().At(int(first.scope))
		scope.LogRecords().RemoveIf(func(plog.LogRecord) bool {
			record++
			out := len(again) > 0 && again[0].series == first.series && again[0].scope == first.scope && again[0].record == record
			if out {
				again = again[1:]
			}
			return out
		})
	}
	resources.RemoveIf(func(one plog.ResourceLogs) bool {
		one.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool { return scope.LogRecords().Len() == 0 })
		return one.ScopeLogs().Len() == 0
	})
}
