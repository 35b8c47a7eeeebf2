// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// table holds the channels of a series by their hash: open addressing with linear
// probing, all in one slice without pointers, so that a million channels cost the
// garbage collector nothing.
//
// It replaces a map because of the memory's latency, which with a million
// channels is most of an event's cost: here all channels of a batch are
// prefetched, and their cache misses overlap.
type table struct {
	slots    []entry // a power of two of them
	used     int
	grown    int          // how often the slots moved to another slice
	sessions []sessionRef // of the slots; nil where none are followed
}

// entry is a slot; id 0 is a free one.
type entry struct {
	id uint64
	channel
}

const fewestSlots = 8

// full is when the table grows: linear probing gets slow beyond four fifths.
func (t *table) full() bool { return t.used >= len(t.slots)/5*4 }

func (t *table) home(id uint64) int { return int(id) & (len(t.slots) - 1) } //nolint:gosec // the low bits are meant

// prefetch loads the slot where a channel would be into the cache. The result has no
// meaning; it keeps the compiler from dropping the load.
func (t *table) prefetch(id uint64) uint64 { return t.slots[t.home(id)].id }

// find returns a channel, nil when there is none. The pointer is good until the
// next put or remove.
func (t *table) find(id uint64) *channel {
	if t.used == 0 {
		return nil
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		switch t.slots[i].id {
		case id:
			return &t.slots[i].channel
		case 0:
			return nil
		}
	}
}

// slot returns the slot of a channel, -1 when there is none. It is good until the next
// put or remove.
func (t *table) slot(id uint64) int {
	if t.used == 0 {
		return -1
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		switch t.slots[i].id {
		case id:
			return i
		case 0:
			return -1
		}
	}
}

// put adds a channel, or overwrites it.
func (t *table) put(id uint64, c channel) {
	if known := t.find(id); known != nil {
		*known = c
		return
	}
	if t.full() {
		t.grow()
	}
	t.used++
	t.place(entry{id, c})
}

func (t *table) place(e entry) (slot int) {
	i := t.home(e.id)
	for t.slots[i].id != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = e
	return i
}

func (t *table) grow() {
	before, sessions := t.slots, t.sessions
	t.slots = make([]entry, max(fewestSlots, 2*len(before)))
	if sessions != nil {
		t.sessions = make([]sessionRef, len(t.slots))
	}
	t.grown++
	for i, e := range before {
		if e.id == 0 {
			continue
		}
		if slot := t.place(e); sessions != nil {
			t.sessions[slot] = sessions[i]
		}
	}
}

// remove removes a channel, if it exists. The channels behind it move up, so
// that no search ends at a hole; moved is called for each.
func (t *table) remove(id uint64, moved func(id uint64)) {
	if t.used == 0 {
		return
	}
	mask := len(t.slots) - 1
	hole := t.home(id)
	for t.slots[hole].id != id {
		if t.slots[hole].id == 0 {
			return
		}
		hole = (hole + 1) & mask
	}
	t.used--
	for i := (hole + 1) & mask; t.slots[i].id != 0; i = (i + 1) & mask {
		// It may move into the hole unless its home lies behind it.
		if (i-t.home(t.slots[i].id))&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			if t.sessions != nil {
				t.sessions[hole] = t.sessions[i]
			}
			moved(t.slots[i].id)
			hole = i
		}
	}
	t.slots[hole] = entry{}
	if t.sessions != nil {
		t.sessions[hole] = sessionRef{}
	}
}

// each visits all channels. The current one may be removed: then its slot is visited
// again, for another may have moved there. One that moves from the slice's
// begin to its end comes twice.
func (t *table) each(visit func(id uint64, c channel) (removed bool)) {
	for i := 0; i < len(t.slots); {
		if e := t.slots[i]; e.id == 0 || !visit(e.id, e.channel) {
			i++
		}
	}
}
