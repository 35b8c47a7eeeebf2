// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"
	"slices"
)

// A receiver in the same process reports how far it has delivered what it read. While
// downstream refuses a batch, what happens on the platform waits in the receiver and
// in the sockets' buffers, so the windows of its streams wait, too. After maxBlocked
// they end nevertheless, incomplete, and the backpressure is counted while it lasts.

// maxBlocked is how long windows wait for what is read to be delivered, ms.
const maxBlocked = 30_000

// maxSources bounds the connections that a stream is known to come from.
const maxSources = 128

// source is a connection of a receiver in this process.
type source struct {
	name        string
	deliveredTo int64   // the receiver's clock; everything that was read before has been observed
	home        *stream // of the records about the connection
	connectedAt int64
	reported    bool // its backpressure is counted; the record of it is not, once it comes
}

// sourceOf gives the source of a name, nil for "".
func (e *Engine) sourceOf(name string, now int64) *source {
	if name == "" {
		return nil
	}
	from, ok := e.sources[name]
	if !ok {
		from = &source{name: name, deliveredTo: now}
		e.sources[name] = from
	}
	return from
}

// Delivered reports that everything that a source had read at a time, unix ms, has been
// observed.
func (e *Engine) Delivered(name string, to, now int64) {
	from, ok := e.sources[name]
	if !ok {
		return
	}
	from.deliveredTo = to
	if now-to > maxBlocked && !from.reported && from.home != nil {
		e.Observe([]Group{{Tags: from.home.tags(), Events: []Event{{Kind: Backpressure, Time: to, Observed: to}}}}, now)
		from.reported = true
	}
}

// counted reports whether the backpressure that a record is about has been counted
// while it lasted.
func (s *source) counted() bool {
	if s == nil || !s.reported {
		return false
	}
	s.reported = false
	return true
}

// applyToCarried applies a record about a connection to all streams that it carries.
// The receiver gives one to each stream it knows, but after a restart it knows only its
// own until the others send again.
func (e *Engine) applyToCarried(from *source, home *stream, event *Event, observed, now int64) {
	if event.Kind == Connected && from.home == nil {
		from.home, from.connectedAt = home, event.Time
	}
	if home != from.home || event.Kind == Skew {
		return
	}
	for _, st := range e.numbered {
		if st != home && st.fedBy(from) {
			e.applyToStream(st, event, observed, now)
		}
	}
}

// feed notes that the stream comes from a source.
func (s *stream) feed(from *source) {
	if from == nil || s.fedBy(from) || len(s.sources) >= maxSources {
		return
	}
	s.sources = append(s.sources, from)
	if s.connectedAt == 0 && !s.live {
		s.connectedAt = from.connectedAt
	}
}

func (s *stream) fedBy(from *source) bool {
	return slices.Contains(s.sources, from)
}

// delivered is up to when everything that was read of the stream has been observed.
func (s *stream) delivered(now int64) int64 {
	for _, from := range s.sources {
		now = min(now, from.deliveredTo)
	}
	return now
}

// unread reports whether what was read of the stream up to t may be on its way.
func (s *stream) undelivered(t int64) bool {
	return len(s.sources) > 0 && s.delivered(math.MaxInt64) < t
}
