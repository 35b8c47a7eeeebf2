// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"fmt"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// topic is what a Notifications topic is about.
type topic struct {
	kind  topicKind
	index int // of the queue or the agent
	form  topicForm
}

type topicKind uint8

const (
	ofQueue topicKind = iota
	ofAgent
	topicKinds
)

type topicForm uint8

const (
	ofMessages      topicForm = iota // participants with messages
	ofConversations                  // participants with communications, which have messages
	topicForms
)

// catalog lists the topics that there are.
type catalog struct {
	directory *api.Directory
	topics    map[string]topic
	names     [topicKinds][][topicForms]string // the reverse
}

func newCatalog(d *api.Directory) *catalog {
	c := &catalog{directory: d, topics: map[string]topic{}}
	for kind, of := range map[topicKind]struct {
		name string
		ids  []string
	}{ofQueue: {"v2.routing.queues.%s.conversations", d.Queues}, ofAgent: {"v2.users.%s.conversations", d.Agents}} {
		c.names[kind] = make([][topicForms]string, len(of.ids))
		for index, id := range of.ids {
			conversations := fmt.Sprintf(of.name, id)
			c.names[kind][index] = [topicForms]string{ofMessages: conversations + ".messages", ofConversations: conversations}
			for form, name := range c.names[kind][index] {
				c.topics[name] = topic{kind: kind, index: index, form: topicForm(form)}
			}
		}
	}
	return c
}

// subscription is the topics of a channel, by what they are about.
type subscription struct {
	topics [topicKinds][]uint8 // by index: a bit for each form
}

func (c *catalog) subscription(names []string) *subscription {
	s := &subscription{}
	s.topics[ofQueue], s.topics[ofAgent] = make([]uint8, len(c.directory.Queues)), make([]uint8, len(c.directory.Agents))
	for _, name := range names {
		if t, ok := c.topics[name]; ok {
			s.topics[t.kind][t.index] |= 1 << t.form
		}
	}
	return s
}

// broadcaster sends snapshots to the sockets that are subscribed to their topics.
type broadcaster struct {
	id        truth.API
	store     *conversationStore
	catalog   *catalog
	snapshots *snapshots
	recorder  *truth.Recorder
	writes    []socketWrite // by socket, reused
}

// socketWrite is one write to a socket, and what its outcome is the outcome of.
type socketWrite struct {
	frames api.FrameBuffer
	items  []int // of the batch: malformed ones and duplicates
	events []*eventState
}

// Send writes a batch. Items that are sent again, since no socket took the batch, are
// entered into the store once.
func (s *broadcaster) Send(b *truth.Batch, sockets []*api.Socket, t *fault.Trouble) (all api.SendResult) {
	if len(sockets) > 0 {
		b.Expect(s.id, truth.Unsubscribed)
	}
	for len(s.writes) < len(sockets) {
		s.writes = append(s.writes, socketWrite{})
	}
	for n := range sockets {
		w := &s.writes[n]
		w.frames.Reset()
		w.items, w.events = w.items[:0], w.events[:0]
	}
	again := len(s.store.pending) > 0
	for n := range b.Items {
		i := &b.Items[n]
		if !api.TakesFrames(i) {
			continue
		}
		var c *conversation
		if again {
			c = s.store.find(&i.Event, b.Times[n])
		} else {
			c = s.store.enter(i, n, b.Times[n])
		}
		for k, to := range sockets {
			s.add(&s.writes[k], to.State.(*channel).subscription.Load(), n, i, c, t)
		}
	}
	for n, to := range sockets {
		if w := &s.writes[n]; w.frames.Count > 0 {
			all.Add(s.write(b, w, to))
		}
	}
	return all
}

// Counted records the outcomes of the batch's events with their conversations.
func (s *broadcaster) Counted(b *truth.Batch) { s.store.settle(b, s.id) }

// add adds a conversation's snapshot to a write, once for every topic that is
// subscribed to. A malformed frame is added once.
func (s *broadcaster) add(w *socketWrite, to *subscription, n int, i *traffic.Item, c *conversation, t *fault.Trouble) {
	at := [topicKinds]int{ofQueue: s.catalog.directory.QueueIndex(c.channel), ofAgent: s.catalog.directory.AgentIndex(c.user)}
	added := false
	for kind, index := range at {
		for form := range topicForms {
			if to.topics[kind][index]&(1<<form) == 0 || added && i.Malformed != fault.WellFormed {
				continue
			}
			added = true
			start := w.frames.Begin()
			w.frames.Bytes = s.snapshots.snapshot(w.frames.Bytes, s.catalog.names[kind][index][form], form, c, t)
			w.frames.Finish(start, i, t)
		}
	}
	switch {
	case !added:
	case i.Malformed != fault.WellFormed || i.Duplicate:
		w.items = append(w.items, n)
	default:
		w.events = c.appendEvents(w.events)
	}
}

// write writes to one socket, and records the outcome of all events that the
// snapshots contain: those of the batch, and earlier ones that were not delivered.
func (s *broadcaster) write(b *truth.Batch, w *socketWrite, to *api.Socket) api.SendResult {
	o := to.Deliver(w.frames.Bytes)
	for _, n := range w.items {
		b.Note(s.id, n, o)
	}
	for _, e := range w.events {
		switch {
		case e.item >= 0:
			b.Note(s.id, e.item, o)
		case o < e.here:
			s.recorder.Revise(s.id, &e.event, e.here, e.best, o)
			e.here, e.best = o, min(e.best, o)
		}
	}
	if o == truth.Sent {
		b.SentFrames += int64(w.frames.Count)
		b.SentBytes += int64(len(w.frames.Bytes))
	}
	return api.SendResult{Some: o != truth.Missed, Left: o == truth.Missed}
}
