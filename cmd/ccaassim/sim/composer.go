// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"time"
)

// frameWait bounds how far apart the events of one frame depart, so that a slow
// stream is not held back to fill its frames. At full speed nothing is.
const frameWait = 100 * time.Millisecond

// frame is what leaves in one WebSocket message.
type frame struct {
	form  FrameForm // object, array or lines
	items []item    // valid until the composer's next frame
	due   time.Duration
}

// composer puts a generator's events into frames, with the trouble of the
// moment: duplicates, reordering, malformed neighbours. It draws from a source of
// its own, so trouble never changes which events happen.
type composer struct {
	generator *generator
	random    *rand.Rand
	form      FrameForm
	perFrame  int
	wait      time.Duration

	ahead   event // the generator's next, not yet departing
	more    bool  // whether ahead is there
	waiting departures
	held    item // taken from waiting, and not for the frame it was taken for
	holding bool
	items   []item
}

func newComposer(g *generator, random *rand.Rand, form FrameForm, perFrame int) *composer {
	c := &composer{generator: g, random: random, form: form, perFrame: perFrame, wait: frameWait}
	c.ahead, c.more = g.next()
	return c
}

// next is the next frame, false when the traffic is at its bound.
func (c *composer) next(t *Trouble) (frame, bool) {
	c.generator.burst.follow(t.burst(), c.generator)
	c.generator.campaign.follow(t.campaign(), c.generator)
	first, ok := c.item(t)
	if !ok {
		return frame{}, false
	}
	form, limit := c.shape(first)
	c.items = append(c.items[:0], first)
	for len(c.items) < limit {
		i, ok := c.item(t)
		if !ok {
			break
		}
		if i.departs > first.departs+c.wait || i.malformed.alone() {
			c.held, c.holding = i, true
			break
		}
		c.items = append(c.items, i)
	}
	return frame{form: form, items: c.items, due: c.items[len(c.items)-1].departs}, true
}

// shape decides the form of the frame that an item begins, and its size.
func (c *composer) shape(first item) (FrameForm, int) {
	if first.malformed.alone() {
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
func (c *composer) item(t *Trouble) (item, bool) {
	if c.holding {
		c.holding = false
		return c.held, true
	}
	for c.more && (len(c.waiting.items) == 0 || c.ahead.at <= c.waiting.items[0].departs) {
		e := c.ahead
		c.ahead, c.more = c.generator.next()
		if t.calm() && len(c.waiting.items) == 0 {
			return item{event: e, departs: e.at}, true
		}
		c.depart(e, t)
	}
	if len(c.waiting.items) == 0 {
		return item{}, false
	}
	return c.waiting.pop(), true
}

// depart lets an event leave, and what the trouble adds to it.
func (c *composer) depart(e event, t *Trouble) {
	i := item{event: e, departs: e.at}
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
		again.duplicate = true
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
func (c *composer) malform(i item, t *Trouble) item {
	kinds := t.malformations()
	i.shared = nil
	i.malformed = kinds[c.random.IntN(len(kinds))]
	i.event.id = identity{high: c.random.Uint64(), low: c.random.Uint64()}
	return i
}
