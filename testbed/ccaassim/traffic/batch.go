// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

// Batch is what is due at one moment, before it is in the form of any API.
type Batch struct {
	Frames []shape
	Items  []Item
	Times  []int64 // by item: when the event happened, unix nanoseconds
}

// shape is a frame's form, and where its items end.
type shape struct {
	Form FrameForm
	End  int
}

// Reset empties the batch.
func (b *Batch) Reset() { b.Frames, b.Items, b.Times = b.Frames[:0], b.Items[:0], b.Times[:0] }

// Add adds a frame that is sent now.
func (b *Batch) Add(f Frame, at Clock) {
	for n := range f.Items {
		b.Items = append(b.Items, f.Items[n])
		b.Times = append(b.Times, at.time(&f.Items[n]))
	}
	b.Frames = append(b.Frames, shape{Form: f.Form, End: len(b.Items)})
}

// Clock turns traffic time into unix nanoseconds.
type Clock struct {
	Origin    int64 // of traffic time; at full speed, the present
	FullSpeed bool
}

// time is when an item's event happened. At full speed traffic time runs as it
// may, and an event happened when it departs, less what it was held back. An event
// that is sent twice happened once.
func (c Clock) time(i *Item) int64 {
	if i.Duplicate {
		return *i.shared
	}
	happened := c.Origin + int64(i.Event.at)
	if c.FullSpeed {
		happened = c.Origin - int64(i.departs-i.Event.at)
	}
	if i.shared != nil {
		*i.shared = happened
	}
	return happened
}
