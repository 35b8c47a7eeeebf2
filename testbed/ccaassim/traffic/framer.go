// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"math/rand/v2"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// FrameForm is how events stand in a frame.
type FrameForm string

// The forms of frames.
const (
	FrameObject FrameForm = "object" // one event
	FrameArray  FrameForm = "array"  // a JSON array of events
	FrameLines  FrameForm = "lines"  // events separated by newlines
	FrameMixed  FrameForm = "mixed"  // each frame of another form and size
)

// frameWait bounds how far apart the events of one frame depart, so that a slow
// stream is not held back to fill its frames. At full speed nothing is.
const frameWait = 100 * time.Millisecond

// Frame is what leaves in one WebSocket message.
type Frame struct {
	Form  FrameForm // object, array or lines
	Items []Item    // valid until the framer's next frame
	Due   time.Duration
}

// Framer puts a generator's events into frames, with the trouble of the
// moment: duplicates, reordering, malformed neighbours. It draws from a source of
// its own, so trouble never changes which events happen.
type Framer struct {
	generator *Generator
	random    *rand.Rand
	form      FrameForm
	perFrame  int
	Wait      time.Duration

	ahead   Event // the generator's next, not yet departing
	more    bool  // whether ahead is there
	waiting departures
	held    Item // taken from waiting, and not for the frame it was taken for
	holding bool
	items   []Item
}

// NewFramer makes a framer that draws from random; frames hold up to perFrame events.
func NewFramer(g *Generator, random *rand.Rand, form FrameForm, perFrame int) *Framer {
	c := &Framer{generator: g, random: random, form: form, perFrame: perFrame, Wait: frameWait}
	c.ahead, c.more = g.next()
	return c
}

// Next is the next frame, false when the traffic is at its bound.
func (c *Framer) Next(t *fault.Trouble) (Frame, bool) {
	c.generator.burst.replan(planBurst(t), c.generator)
	c.generator.campaign.replan(planCampaign(t), c.generator)
	first, ok := c.item(t)
	if !ok {
		return Frame{}, false
	}
	form, limit := c.shape(first)
	c.items = append(c.items[:0], first)
	for len(c.items) < limit {
		i, ok := c.item(t)
		if !ok {
			break
		}
		if i.departs > first.departs+c.Wait || i.Malformed.Alone() {
			c.held, c.holding = i, true
			break
		}
		c.items = append(c.items, i)
	}
	return Frame{Form: form, Items: c.items, Due: c.items[len(c.items)-1].departs}, true
}

// shape decides the form of the frame that an item begins, and its size.
func (c *Framer) shape(first Item) (FrameForm, int) {
	if first.Malformed.Alone() {
		return FrameObject, 1
	}
	if c.form != FrameMixed {
		return c.form, c.perFrame
	}
	switch form := [...]FrameForm{FrameObject, FrameArray, FrameLines}[c.random.IntN(3)]; form {
	case FrameObject:
		return form, 1
	default:
		return form, 1 + c.random.IntN(c.perFrame)
	}
}

// item is the next item to depart.
func (c *Framer) item(t *fault.Trouble) (Item, bool) {
	if c.holding {
		c.holding = false
		return c.held, true
	}
	for c.more && (len(c.waiting.items) == 0 || c.ahead.at <= c.waiting.items[0].departs) {
		e := c.ahead
		c.ahead, c.more = c.generator.next()
		if t.Calm() && len(c.waiting.items) == 0 {
			return Item{Event: e, departs: e.at}, true
		}
		c.depart(e, t)
	}
	if len(c.waiting.items) == 0 {
		return Item{}, false
	}
	return c.waiting.pop(), true
}

// depart lets an event leave, and what the trouble adds to it.
func (c *Framer) depart(e Event, t *fault.Trouble) {
	i := Item{Event: e, departs: e.at}
	if t.Jitter > 0 {
		i.departs += time.Duration(c.random.Int64N(int64(t.Jitter)))
	}
	twice := t.Duplicates > 0 && c.random.Float64() < t.Duplicates
	if twice {
		i.shared = new(int64)
	}
	c.waiting.push(i)
	if twice {
		again := i
		again.Duplicate = true
		if c.random.Uint64()&1 == 0 { // in a later frame, not right after
			again.departs += time.Duration(c.random.Int64N(int64(time.Second)))
		}
		c.waiting.push(again)
	}
	if t.Malformed > 0 && c.random.Float64() < t.Malformed {
		c.waiting.push(c.malform(i, t))
	}
}

// malform is a malformed neighbour of an item: an extra, never in its place.
func (c *Framer) malform(i Item, t *fault.Trouble) Item {
	kinds := t.Malformations()
	i.shared = nil
	i.Malformed = kinds[c.random.IntN(len(kinds))]
	i.Event.Id = ID{High: c.random.Uint64(), Low: c.random.Uint64()}
	return i
}
