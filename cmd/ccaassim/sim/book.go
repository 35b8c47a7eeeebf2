// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import "time"

const (
	// linger is how long a conversation is remembered once it has ended, for what
	// jitter holds back.
	linger = 2 * int64(time.Minute)
	// conversationsKept bounds the book; what is not in it is told, and not healed.
	conversationsKept = 1_000_000
)

// book remembers conversations, since Notifications tells of each as a whole. It
// begins with the first socket that is subscribed to anything.
type book struct {
	messages      int   // kept of a conversation
	before        int64 // when what was there before began at the latest, unix nanoseconds
	conversations map[identity]*conversation
	ended         []*conversation // in order, to be forgotten
	fresh         []*telling      // of the batch at hand
}

// conversation is a session as Notifications has it.
type conversation struct {
	channel          identity
	user             uint64
	series           int32
	connected, ended int64 // unix nanoseconds; 0: not ended
	ending           *ending
	messages         []*chatMessage // the latest
	tellings         []*telling     // of the opening and the end
}

type chatMessage struct {
	id      identity
	at      int64
	payload int32
	kind    kind
	telling *telling
}

// telling is what became of one event.
type telling struct {
	event    event
	item     int  // its place in the batch at hand, -1 once that is counted
	api, all fate // with Notifications, and with any API
}

func newBook(messages int, now time.Time) *book {
	return &book{messages: messages, before: now.Add(-time.Minute).UnixNano(), conversations: map[identity]*conversation{}}
}

// enter lets the conversation of an item become what the item makes of it. An
// opening that jitter lets come late is no news: by then, its conversation is taken
// for one that was there before the book began.
func (b *book) enter(i *item, place int, happened int64) *conversation {
	_, known := b.conversations[i.event.channel]
	c := b.conversation(&i.event, happened)
	if i.duplicate || i.malformed != wellFormed {
		return c
	}
	t := &telling{event: i.event, item: place}
	b.fresh = append(b.fresh, t)
	switch i.event.kind {
	case connectionOpen:
		if !known {
			c.tellings = append(c.tellings, t)
		}
	case connectionClose:
		c.ended, c.ending = happened, i.event.ending
		c.tellings = append(c.tellings, t)
		b.ended = append(b.ended, c)
	default:
		if len(c.messages) == b.messages {
			c.messages = append(c.messages[:0], c.messages[1:]...)
		}
		c.messages = append(c.messages, &chatMessage{id: i.event.id, at: happened, payload: i.event.payload, kind: i.event.kind, telling: t})
	}
	return c
}

// conversation finds the conversation of an event. One that nobody knows was there
// before the book began.
func (b *book) conversation(e *event, happened int64) *conversation {
	c, ok := b.conversations[e.channel]
	if ok {
		return c
	}
	c = &conversation{channel: e.channel, user: e.user, series: e.series, connected: happened}
	if e.kind != connectionOpen {
		c.connected = b.before - int64(e.channel.low%uint64(time.Hour))
	}
	if len(b.conversations) < conversationsKept {
		b.conversations[e.channel] = c
	}
	return c
}

// settle closes the accounts of a batch that has been counted, and forgets the
// conversations that ended long ago.
func (b *book) settle(of *batch) {
	for _, t := range b.fresh {
		t.api, t.all, t.item = of.fates[notifications][t.item], of.fate(t.item), -1
	}
	b.fresh = b.fresh[:0]
	if len(of.times) == 0 {
		return
	}
	for len(b.ended) > 0 && b.ended[0].ended < of.times[0]-linger {
		delete(b.conversations, b.ended[0].channel)
		b.ended[0] = nil
		b.ended = b.ended[1:]
	}
}

// each visits the tellings of all that a snapshot shows.
func (c *conversation) each(visit func(*telling)) {
	for _, t := range c.tellings {
		visit(t)
	}
	for _, m := range c.messages {
		visit(m.telling)
	}
}
