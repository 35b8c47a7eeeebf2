// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// Item is an event on its way out: the event itself, the same event again, or a
// malformed one made from it.
type Item struct {
	Event     Event
	departs   time.Duration // traffic time
	order     uint64        // breaks ties, so that a session's events keep their order
	Duplicate bool
	Malformed fault.Malformation // wellFormed for events
	shared    *int64             // the time of an event that is sent twice: see clock
}

// departures is a heap of items by the time they leave.
type departures struct {
	items []Item
	order uint64
}

func (d *departures) push(i Item) {
	d.order++
	i.order = d.order
	d.items = append(d.items, i)
	child := len(d.items) - 1
	for child > 0 {
		parent := (child - 1) / 2
		if !d.before(child, parent) {
			return
		}
		d.items[child], d.items[parent] = d.items[parent], d.items[child]
		child = parent
	}
}

// pop takes the earliest item; there must be one.
func (d *departures) pop() Item {
	first, last := d.items[0], len(d.items)-1
	d.items[0] = d.items[last]
	d.items = d.items[:last]
	parent := 0
	for {
		child := 2*parent + 1
		if child >= last {
			return first
		}
		if child+1 < last && d.before(child+1, child) {
			child++
		}
		if !d.before(child, parent) {
			return first
		}
		d.items[child], d.items[parent] = d.items[parent], d.items[child]
		parent = child
	}
}

func (d *departures) before(i, j int) bool {
	a, b := &d.items[i], &d.items[j]
	return a.departs < b.departs || a.departs == b.departs && a.order < b.order
}
