// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

// batch is what is due at one moment, before it is in the words of any API, and
// what became of it with each.
type batch struct {
	frames []shape
	items  []item
	times  []int64 // by item: when the event happened, unix nanoseconds
	fates  [apis][]fate
	used   [apis]bool // whose sockets have ever been there

	sentFrames, sentBytes int64
}

// shape is a frame's form, and where its items end.
type shape struct {
	form FrameForm
	end  int
}

func (b *batch) reset() {
	b.frames, b.items, b.times = b.frames[:0], b.items[:0], b.times[:0]
	b.sentFrames, b.sentBytes = 0, 0
}

func (b *batch) add(f frame, at clock) {
	for n := range f.items {
		b.items = append(b.items, f.items[n])
		b.times = append(b.times, at.time(&f.items[n]))
	}
	b.frames = append(b.frames, shape{form: f.form, end: len(b.items)})
}

// await sets what becomes of the items with an API unless a write changes it.
func (b *batch) await(a api, f fate) {
	fates := b.fates[a][:0]
	for range b.items {
		fates = append(fates, f)
	}
	b.fates[a] = fates
}

// written notes that all items an API can tell went out in one write.
func (b *batch) written(a api, f fate) {
	for n := range b.items {
		if a.takes(&b.items[n]) {
			b.note(a, n, f)
		}
	}
}

// note keeps the best that became of an item with an API.
func (b *batch) note(a api, item int, f fate) {
	b.fates[a][item] = min(b.fates[a][item], f)
}

// fate is the best that became of an item.
func (b *batch) fate(item int) fate {
	best, used := unheard, false
	for a := range b.fates {
		if b.used[a] {
			best, used = min(best, b.fates[a][item]), true
		}
	}
	if !used {
		return missed
	}
	return best
}
