// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

const (
	// linger is how long a conversation is kept once it has ended, for events that
	// jitter delays; nanoseconds.
	linger = 2 * int64(time.Minute)
	// conversationsKept bounds the store. The snapshots of a conversation that is not
	// in it contain one event.
	conversationsKept = 1_000_000
)

// conversationStore holds conversations, since a snapshot contains a complete one. It
// is empty until a socket is subscribed to a topic.
type conversationStore struct {
	messages      int                    // kept of a conversation
	began         func(traffic.ID) int64 // unix nanoseconds: when a conversation began that began unseen
	conversations map[traffic.ID]*conversation
	ended         []*conversation // in order, to be evicted
	pending       []*eventState   // of the batch at hand
}

// conversation is a session as its snapshots show it.
type conversation struct {
	channel          traffic.ID
	user             uint64
	series           int32
	connected, ended int64 // unix nanoseconds; 0: not ended
	ending           *traffic.Ending
	messages         []*chatMessage // the latest
	transitions      []*eventState  // the opening and the end
}

type chatMessage struct {
	id      traffic.ID
	at      int64
	payload int32
	kind    traffic.Kind
	state   *eventState
}

// eventState is an event and its outcome.
type eventState struct {
	event      traffic.Event
	item       int           // its index in the batch at hand, -1 once that is counted
	here, best truth.Outcome // with Notifications, and with any API
}

func newConversationStore(messages int, began func(traffic.ID) int64) *conversationStore {
	return &conversationStore{messages: messages, began: began, conversations: map[traffic.ID]*conversation{}}
}

// enter applies an item to its conversation. An opening that jitter delays beyond a
// message changes nothing: its conversation is one that began unseen.
func (s *conversationStore) enter(i *traffic.Item, index int, happened int64) *conversation {
	_, known := s.conversations[i.Event.Channel]
	c := s.find(&i.Event, happened)
	if i.Duplicate || i.Malformed != fault.WellFormed {
		return c
	}
	e := &eventState{event: i.Event, item: index}
	s.pending = append(s.pending, e)
	switch i.Event.Kind {
	case traffic.ConnectionOpen:
		if !known {
			c.transitions = append(c.transitions, e)
		}
	case traffic.ConnectionClose:
		c.ended, c.ending = happened, i.Event.Ending
		c.transitions = append(c.transitions, e)
		s.ended = append(s.ended, c)
	default:
		if len(c.messages) == s.messages {
			c.messages = append(c.messages[:0], c.messages[1:]...)
		}
		c.messages = append(c.messages, &chatMessage{id: i.Event.Id, at: happened, payload: i.Event.Payload, kind: i.Event.Kind, state: e})
	}
	return c
}

// find returns the conversation of an event. One that is not in the store, and that the
// event does not open, has begun unseen.
func (s *conversationStore) find(e *traffic.Event, happened int64) *conversation {
	c, ok := s.conversations[e.Channel]
	if ok {
		return c
	}
	c = &conversation{channel: e.Channel, user: e.User, series: e.Series, connected: happened}
	if e.Kind != traffic.ConnectionOpen {
		c.connected = s.began(e.Channel)
	}
	if len(s.conversations) < conversationsKept {
		s.conversations[e.Channel] = c
	}
	return c
}

// settle records the outcomes of a batch that has been counted, and evicts the
// conversations that ended long ago.
func (s *conversationStore) settle(b *truth.Batch, id truth.API) {
	for _, e := range s.pending {
		e.here, e.best, e.item = b.Outcomes[id][e.item], b.Outcome(e.item), -1
	}
	s.pending = s.pending[:0]
	if len(b.Times) == 0 {
		return
	}
	for len(s.ended) > 0 && s.ended[0].ended < b.Times[0]-linger {
		delete(s.conversations, s.ended[0].channel)
		s.ended[0] = nil
		s.ended = s.ended[1:]
	}
}

// appendEvents appends the events that a snapshot contains.
func (c *conversation) appendEvents(to []*eventState) []*eventState {
	to = append(to, c.transitions...)
	for _, m := range c.messages {
		to = append(to, m.state)
	}
	return to
}
