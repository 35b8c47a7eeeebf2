// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

// topics tells events to the Notifications sockets that are subscribed to them.
type topics struct {
	book      *book
	directory *directory
	snapshots *snapshots
	tally     *tally
	letters   []letter // by socket, reused
}

// letter is what one socket is told, and what of that has become of it.
type letter struct {
	chunk    chunk
	items    []int // of the batch, that are no events
	tellings []*telling
}

func (l *letter) reset() {
	l.chunk.reset()
	l.items, l.tellings = l.items[:0], l.tellings[:0]
}

func (s *topics) tell(b *batch, sockets []*socket, t *Trouble) (all told) {
	if len(sockets) > 0 {
		b.await(notifications, unheard)
	}
	for len(s.letters) < len(sockets) {
		s.letters = append(s.letters, letter{})
	}
	for n := range sockets {
		s.letters[n].reset()
	}
	s.write(b, sockets, t)
	for n, socket := range sockets {
		if l := &s.letters[n]; l.chunk.frames > 0 {
			all.add(s.post(b, l, socket))
		}
	}
	return all
}

// write writes the letters. Items that are offered again are not entered again.
func (s *topics) write(b *batch, sockets []*socket, t *Trouble) {
	again := len(s.book.fresh) > 0
	for n := range b.items {
		i := &b.items[n]
		if !notifications.takes(i) {
			continue
		}
		var c *conversation
		if again {
			c = s.book.conversation(&i.event, b.times[n])
		} else {
			c = s.book.enter(i, n, b.times[n])
		}
		for k, socket := range sockets {
			s.mention(&s.letters[k], socket.channel.subscription.Load(), n, i, c, t)
		}
	}
}

// mention adds a conversation to a letter, once for every topic that it is
// subscribed to. A malformed frame comes once.
func (s *topics) mention(l *letter, wanted *subscription, place int, i *item, c *conversation, t *Trouble) {
	at := [topicKinds]int{ofQueue: s.directory.queue(c.channel), ofAgent: s.directory.agent(c.user)}
	mentioned := false
	for kind, place := range at {
		for form := range topicForms {
			if wanted.wanted[kind][place]&(1<<form) == 0 || mentioned && i.malformed != wellFormed {
				continue
			}
			mentioned = true
			s.frame(&l.chunk, s.directory.names[kind][place][form], form, i, c, t)
		}
	}
	if !mentioned {
		return
	}
	if i.malformed != wellFormed || i.duplicate {
		l.items = append(l.items, place)
		return
	}
	c.each(func(t *telling) { l.tellings = append(l.tellings, t) })
}

func (s *topics) frame(c *chunk, name string, form topicForm, i *item, about *conversation, t *Trouble) {
	start := c.begin()
	c.bytes = s.snapshots.snapshot(c.bytes, name, form, about, t)
	c.spoil(start, i, t)
}

// spoil finishes a frame, malformed if its item is.
func (c *chunk) spoil(start int, i *item, t *Trouble) {
	operation := opText
	if i.malformed != wellFormed {
		good := append([]byte{}, c.bytes[start+mediumHeader:]...)
		c.bytes = append(c.bytes[:start+mediumHeader], spoilFrame(good, i, t.OversizedBytes)...)
		if i.malformed == binaryFrame {
			operation = opBinary
		}
	}
	c.finish(start, operation)
}

// post sends a letter, and notes what became of all it tells: of the batch at
// hand, and of what went wrong before.
func (s *topics) post(b *batch, l *letter, to *socket) told {
	f := to.deliver(l.chunk.bytes)
	for _, n := range l.items {
		b.note(notifications, n, f)
	}
	for _, t := range l.tellings {
		switch {
		case t.item >= 0:
			b.note(notifications, t.item, f)
		case f < t.api:
			s.tally.heal(t, f)
			t.api, t.all = f, min(t.all, f)
		}
	}
	if f == sent {
		b.sentFrames += int64(l.chunk.frames)
		b.sentBytes += int64(len(l.chunk.bytes))
	}
	return told{some: f != missed, left: f == missed}
}
