// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"
	"slices"
)

// encoding writes events in the words of one API.
type encoding interface {
	// encode appends the frames of what the API takes of a batch.
	encode(c *chunk, b *batch, t *Trouble)
}

// told is how a batch fared with an API's sockets.
type told struct {
	some bool // a write took some of it
	left bool // a socket was leaving, and took nothing
}

func (t *told) add(other told) {
	t.some, t.left = t.some || other.some, t.left || other.left
}

// turns tells every event to the sockets whose turn it is.
type turns struct {
	api      api
	encoding encoding
	delivery Delivery
	turn     int
	chunk    chunk
}

// tell writes a batch to one socket in turn, or to all of a client, or to all.
func (s *turns) tell(b *batch, sockets []*socket, t *Trouble) (all told) {
	if len(sockets) == 0 {
		return told{}
	}
	s.chunk.reset()
	s.encoding.encode(&s.chunk, b, t)
	s.turn++
	for n := range sockets {
		first := sockets[(s.turn+n)%len(sockets)]
		targets := s.targets(sockets, first)
		got := s.write(b, targets)
		all.add(got)
		if got.some || len(targets) == len(sockets) {
			break
		}
	}
	return all
}

// targets are the sockets that get what this one gets.
func (s *turns) targets(sockets []*socket, first *socket) []*socket {
	switch s.delivery {
	case DeliverBroadcast:
		return sockets
	case DeliverClient:
		others := func(other *socket) bool { return other.client != first.client }
		return slices.DeleteFunc(slices.Clone(sockets), others)
	default:
		return []*socket{first}
	}
}

func (s *turns) write(b *batch, targets []*socket) (all told) {
	best := missed
	for _, target := range targets {
		f := target.deliver(s.chunk.bytes)
		all.add(told{some: f != missed, left: f == missed})
		best = min(best, f)
	}
	b.written(s.api, best)
	if best == sent {
		b.sentFrames += int64(s.chunk.frames)
		b.sentBytes += int64(len(s.chunk.bytes))
	}
	return all
}

// deliver writes frames, and says what became of them.
func (s *socket) deliver(frames []byte) fate {
	switch err := s.write(frames); {
	case err == nil:
		return sent
	case errors.Is(err, errLeaving):
		return missed
	default:
		return unsure
	}
}
