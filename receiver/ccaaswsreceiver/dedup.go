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

// mixer mixes parts of a hash; it is a large odd number.
const mixer = 0x9e3779b97f4a7c15

// eventKey identifies an event of a batch, by a hash of 64 bits. With ten million events,
// the most that can be remembered, one in 1.8 trillion is wrongly taken for a duplicate.
type eventKey struct {
	hash    uint64
	arrival time.Duration // since a fixed time; monotonic
	series  int32         // index of the resource in the batch
	record  int32         // place.event
	block   int32         // place.block
	scope   uint8         // index of the scope in the resource
	hasID   bool          // the hash is that of an id
	source  bool          // distinguishes two sockets of a rotation
}

// newEventKey returns the key of an event at a place. An event without an id is identified by
// its type, channel and time.
func newEventKey(e *jsonevent.Event, at place, arrival time.Duration, socket int) eventKey {
	series := at.scope.series
	k := eventKey{
		arrival: arrival, source: socket&1 == 1, hasID: len(e.ID) > 0,
		series: int32(series.number), scope: uint8(at.scope.number), record: int32(at.event), block: int32(at.block), //nolint:gosec // no more than a batch has
	}
	kind := (uint64(e.Type)+1)*mixer + series.salt
	if k.hasID {
		k.hash = kind*mixer ^ xxhash.Sum64(e.ID)
	} else {
		k.hash = ((kind+uint64(e.Time))*mixer ^ xxhash.Sum64(e.ChannelID)) * mixer //nolint:gosec // mixed, not counted
	}
	return k
}

// deduplicator removes events that were received within a window before.
type deduplicator struct {
	seen       *ttlset.Set
	prefetched uint64 // keeps the compiler from removing the prefetches
}

// newDeduplicator returns nil where deduplication is off.
func newDeduplicator(set DeduplicationConfig) *deduplicator {
	if set.Window == 0 {
		return nil
	}
	return &deduplicator{seen: ttlset.New(set.Window, set.MaxEvents)}
}

// prefetchBatch is how many events are looked up together: their cache misses overlap,
// and the lines fit the first-level cache.
const prefetchBatch = 128

// removeDuplicates adds the events of a batch to the set, and removes duplicates from the
// batch.
func (d *deduplicator) removeDuplicates(b *batch) {
	if d == nil {
		return
	}
	duplicates := b.keys[:0] // in place, behind those that are still to be looked up
	for rest := b.keys; len(rest) > 0; {
		some := rest[:min(prefetchBatch, len(rest))]
		rest = rest[len(some):]
		for i := range some {
			d.prefetched ^= d.seen.Prefetch(some[i].hash)
		}
		for i := range some {
			if d.isDuplicate(&some[i]) {
				duplicates = append(duplicates, some[i])
			}
		}
	}
	if len(duplicates) > 0 {
		b.remove(duplicates)
	}
}

// isDuplicate adds an event to the set. Two events without an id of one socket may have
// type, channel and time in common: only the same event of another socket is a duplicate.
func (d *deduplicator) isDuplicate(k *eventKey) bool {
	seen, sameSource := d.seen.Add(k.hash, int64(k.arrival), !k.hasID && k.source)
	return seen && (k.hasID || !sameSource)
}

// remove removes events: their records, and from their blocks.
func (b *batch) remove(keys []eventKey) {
	b.size -= len(keys)
	b.read.events -= int64(len(keys))
	b.read.duplicates += int64(len(keys))
	if len(b.blocks) > 0 {
		b.removeFromBlocks(keys)
		if !b.both {
			keys = slices.DeleteFunc(keys, func(k eventKey) bool { return k.block >= 0 })
		}
	}
	b.removeRecords(keys)
}

// removeRecords removes the records of events.
func (b *batch) removeRecords(keys []eventKey) {
	slices.SortFunc(keys, func(a, b eventKey) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.scope, b.scope), cmp.Compare(a.record, b.record))
	})
	resources := b.logs.ResourceLogs()
	for len(keys) > 0 {
		first, record := keys[0], int32(-1)
		scope := resources.At(int(first.series)).ScopeLogs().At(int(first.scope))
		scope.LogRecords().RemoveIf(func(plog.LogRecord) bool {
			record++
			out := len(keys) > 0 && keys[0].series == first.series && keys[0].scope == first.scope && keys[0].record == record
			if out {
				keys = keys[1:]
			}
			return out
		})
	}
	b.removeEmpty()
}

// removeEmpty removes scopes without records, and resources without scopes.
func (b *batch) removeEmpty() {
	b.logs.ResourceLogs().RemoveIf(func(one plog.ResourceLogs) bool {
		one.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool { return scope.LogRecords().Len() == 0 })
		return one.ScopeLogs().Len() == 0
	})
}
