// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package lag tracks how far a partition has been consumed, in offsets and in time.
//
// A partition without messages and one with a backlog, or one that is unreachable, look
// the same to a consumer that only polls. So the end offset is queried at intervals: once
// the consumer reaches it, everything written before the query is consumed.
package lag

import "time"

// Tracker tracks one partition. Its zero value has consumed nothing.
type Tracker struct {
	position   int64
	caughtUpTo time.Time

	// The query whose end offset is not reached yet.
	queriedAt time.Time
	pending   bool
	target    int64

	end int64 // of the latest query
}

// Start sets the offset at which consumption starts.
func (t *Tracker) Start(position int64) { t.position = position }

// Consumed records that everything before position is consumed.
func (t *Tracker) Consumed(position int64) {
	t.position = max(t.position, position)
	t.update()
}

// EndOffset records the end offset that a query at a time returned. While the end offset of
// an earlier query is not reached, that one stays the target.
func (t *Tracker) EndOffset(end int64, queriedAt time.Time) {
	t.end = end
	if !t.pending {
		t.pending, t.queriedAt, t.target = true, queriedAt, end
	}
	t.update()
}

func (t *Tracker) update() {
	if t.pending && t.position >= t.target {
		t.pending = false
		if t.queriedAt.After(t.caughtUpTo) {
			t.caughtUpTo = t.queriedAt
		}
	}
}

// CaughtUpTo returns the time up to which everything that was written is consumed.
func (t *Tracker) CaughtUpTo() time.Time { return t.caughtUpTo }

// Lag returns the number of offsets that are not consumed yet, by the latest query.
func (t *Tracker) Lag() int64 { return max(0, t.end-t.position) }
