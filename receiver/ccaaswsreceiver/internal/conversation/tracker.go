// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package conversation turns snapshots of conversations, which is what Genesys
// Cloud notifies of, into the events between them. It is pure: no pdata, no
// goroutine, and time is an argument. What it remembers is bounded and expires.
//
// A snapshot has everything that has happened to a conversation. So the next one
// also has what was lost before it, and no event is emitted twice, also when
// snapshots overtake each other. Facts from before the tracker began, and those that
// a dropped conversation may have had, are history, and not emitted.
//
// A channel is a communication that has an id, or the participant where its
// communications have none: on topics of one medium.
package conversation

import (
	"container/list"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
)

// Bounds of what is remembered.
const (
	// maxBytes is about how much memory the known facts and conversations take.
	maxBytes = 64 << 20
	// factBytes and conversationBytes are about what each of them takes. No text is
	// remembered: facts and conversations are known by their hashes.
	factBytes         = 40
	conversationBytes = 512
	// maxOwnFacts is how many facts are known of one conversation.
	maxOwnFacts = 4096
	// forgetAfter is the time after its last snapshot at which a conversation is dropped.
	forgetAfter = 24 * time.Hour
)

// Tracker knows the facts of conversations that were emitted.
type Tracker struct {
	// horizon is the time up to which facts of an unknown conversation are history.
	horizon       time.Time
	conversations map[uint64]*list.Element
	order         *list.List // of *conversation; the one with the latest snapshot is in front
	bytes         int        // about

	most, mostOwn int // bounds, smaller in tests

	// Observe gets each channel of a snapshot that was connected, or has ended, after its
	// events; nil: nothing does.
	Observe func(s *reconcile.Session, now time.Time, to jsonevent.Sink)
}

// conversation is what is known of one.
type conversation struct {
	key      uint64
	horizon  time.Time        // facts up to here that are not known are history
	facts    map[uint64]int64 // those emitted, with their time in unix nanoseconds
	snapshot time.Time        // arrival of the last one
	latest   time.Time        // of the facts
}

// NewTracker returns a tracker that emits events from a time on.
func NewTracker(since time.Time) *Tracker {
	return &Tracker{horizon: since, conversations: map[uint64]*list.Element{}, order: list.New(), most: maxBytes, mostOwn: maxOwnFacts}
}

// conversation returns a conversation, which it adds if it is unknown.
func (t *Tracker) conversation(id string, now time.Time) *conversation {
	t.expire(now)
	key := xxhash.Sum64String(id)
	if element, known := t.conversations[key]; known {
		c := element.Value.(*conversation) //nolint:forcetypeassert // the list holds nothing else
		c.snapshot = now
		t.order.MoveToFront(element)
		return c
	}
	c := &conversation{key: key, horizon: t.horizon, facts: map[uint64]int64{}, snapshot: now}
	t.conversations[key] = t.order.PushFront(c)
	t.bytes += conversationBytes
	return c
}

// expire drops the oldest conversations beyond the age and size limits, except the newest
// one.
func (t *Tracker) expire(now time.Time) {
	for t.order.Len() > 0 {
		c := t.order.Back().Value.(*conversation) //nolint:forcetypeassert // the list holds nothing else
		if now.Sub(c.snapshot) < forgetAfter && (t.bytes <= t.most || t.order.Len() == 1) {
			return
		}
		t.order.Remove(t.order.Back())
		delete(t.conversations, c.key)
		t.bytes -= len(c.facts)*factBytes + conversationBytes
		t.horizon = later(t.horizon, c.latest, now)
	}
}

// later is a horizon moved to a time, but not ahead of now: a platform's clock ahead
// of ours must not turn future events into history.
func later(horizon, to, now time.Time) time.Time {
	if to.After(now) {
		to = now
	}
	if to.After(horizon) {
		return to
	}
	return horizon
}

// keyOf is the hash by which a fact is known.
func keyOf(kind, who, what string) uint64 {
	var digest xxhash.Digest
	digest.Reset()
	for _, part := range [...]string{kind, who, what} {
		_, _ = digest.WriteString(part)
		_, _ = digest.WriteString("\xff")
	}
	return digest.Sum64()
}

// at is the time of a known fact.
func (*Tracker) at(c *conversation, kind, who string) (at time.Time, known bool) {
	nanoseconds, known := c.facts[keyOf(kind, who, "")]
	return time.Unix(0, nanoseconds), known
}

// known reports whether a fact is known.
func (*Tracker) known(c *conversation, kind, who string) bool {
	_, known := c.facts[keyOf(kind, who, "")]
	return known
}

// note records a fact without an event, and reports whether it is new.
func (t *Tracker) note(c *conversation, kind, who string, now time.Time) (fresh bool) {
	fresh, _ = t.fact(c, kind, who, "", now, now)
	return fresh
}

// fact records a fact of a conversation, and returns whether it is new, and
// whether it is history.
func (t *Tracker) fact(c *conversation, kind, who, what string, at, now time.Time) (fresh, history bool) {
	key := keyOf(kind, who, what)
	if _, known := c.facts[key]; known {
		return false, false
	}
	if len(c.facts) >= t.mostOwn {
		t.shorten(c, now)
	}
	c.facts[key] = at.UnixNano()
	t.bytes += factBytes
	if at.After(c.latest) {
		c.latest = at
	}
	return true, !at.After(c.horizon)
}

// shorten drops the older half of a conversation's facts.
func (t *Tracker) shorten(c *conversation, now time.Time) {
	times := make([]int64, 0, len(c.facts))
	for _, at := range c.facts {
		times = append(times, at)
	}
	slices.Sort(times)
	middle := times[len(times)/2]
	for key, at := range c.facts {
		if at <= middle {
			delete(c.facts, key)
			t.bytes -= factBytes
		}
	}
	c.horizon = later(c.horizon, time.Unix(0, middle), now)
}
