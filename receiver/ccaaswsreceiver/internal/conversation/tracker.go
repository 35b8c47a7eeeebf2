// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"container/list"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Bounds of what is remembered.
const (
	// maxFacts is how many facts are known in all; each takes some 20 bytes.
	maxFacts = 1 << 20
	// maxOwnFacts is how many are known of one conversation.
	maxOwnFacts = 4096
	// forgetAfter is how long after its last snapshot a conversation is forgotten.
	forgetAfter = 24 * time.Hour
)

// Tracker knows what has been told of conversations.
type Tracker struct {
	// horizon is the time up to which facts of an unknown conversation are history.
	horizon time.Time
	known   map[string]*list.Element
	order   *list.List // of *conversation; the one heard of last is in front
	facts   int

	most, mostOwn int // bounds, smaller in tests
}

// conversation is what is known of one.
type conversation struct {
	id      string
	horizon time.Time            // facts up to here that are not known are history
	facts   map[uint64]time.Time // that were told, with their time
	heard   time.Time            // of the last snapshot
	latest  time.Time            // of the facts
}

// NewTracker makes a tracker that tells of what happens from a time on.
func NewTracker(since time.Time) *Tracker {
	return &Tracker{horizon: since, known: map[string]*list.Element{}, order: list.New(), most: maxFacts, mostOwn: maxOwnFacts}
}

// Conversations is how many are known.
func (t *Tracker) Conversations() int { return len(t.known) }

// conversation finds a conversation, or begins to know it.
func (t *Tracker) conversation(id string, now time.Time) *conversation {
	t.expire(now)
	if element, known := t.known[id]; known {
		c := element.Value.(*conversation) //nolint:forcetypeassert // the list holds nothing else
		c.heard = now
		t.order.MoveToFront(element)
		return c
	}
	c := &conversation{id: id, horizon: t.horizon, facts: map[uint64]time.Time{}, heard: now}
	t.known[id] = t.order.PushFront(c)
	t.facts++ // it costs something itself
	return c
}

// expire forgets conversations that are old or too many; the newest one stays.
func (t *Tracker) expire(now time.Time) {
	for t.order.Len() > 0 {
		c := t.order.Back().Value.(*conversation) //nolint:forcetypeassert // the list holds nothing else
		if now.Sub(c.heard) < forgetAfter && (t.facts <= t.most || t.order.Len() == 1) {
			return
		}
		t.order.Remove(t.order.Back())
		delete(t.known, c.id)
		t.facts -= len(c.facts) + 1
		if c.latest.After(t.horizon) {
			t.horizon = c.latest
		}
	}
}

// fact notes a fact of a conversation, and says whether it is new, and whether it
// is history.
func (t *Tracker) fact(c *conversation, kind, who, what string, at time.Time) (fresh, history bool) {
	var digest xxhash.Digest
	digest.Reset()
	for _, part := range []string{kind, who, what} {
		_, _ = digest.WriteString(part)
		_, _ = digest.WriteString("\xff")
	}
	key := digest.Sum64()
	if _, known := c.facts[key]; known {
		return false, false
	}
	if len(c.facts) >= t.mostOwn {
		t.shorten(c)
	}
	c.facts[key] = at
	t.facts++
	if at.After(c.latest) {
		c.latest = at
	}
	return true, !at.After(c.horizon)
}

// shorten forgets the older half of a conversation.
func (t *Tracker) shorten(c *conversation) {
	times := make([]time.Time, 0, len(c.facts))
	for _, at := range c.facts {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	middle := times[len(times)/2]
	for key, at := range c.facts {
		if !at.After(middle) {
			delete(c.facts, key)
			t.facts--
		}
	}
	if middle.After(c.horizon) {
		c.horizon = middle
	}
}
