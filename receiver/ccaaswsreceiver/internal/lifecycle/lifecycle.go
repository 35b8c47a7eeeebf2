// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package lifecycle derives opens and closes of channels from events of their state: of
// several closes in a row the first counts, an open state opens a channel that was
// closed, and a channel keeps the type of its first event. It is pure: no pdata, no
// goroutine, and time is that of the events. Its state is bounded.
package lifecycle

import (
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

const (
	// reopenGrace is how long after a close a message is taken for an echo of it. It
	// is ws_window's default reopen_grace.
	reopenGrace = 2 * time.Second

	// maxChannels is half of how many channels are remembered, each in some 55 bytes.
	maxChannels = 1 << 16
	// maxTypes and longestType bound the channel types that are remembered.
	maxTypes    = 4096
	longestType = 256
)

// Channels is the state of recent channels.
type Channels struct {
	// Of the two halves the young one is filled; then it is the old one, whose
	// channels are dropped unless they were observed again.
	young, old map[uint64]state

	types map[string]uint16
	names [][]byte // by number; 0 is no type

	most int // bound, smaller in tests
}

// state is what is known of a channel.
type state struct {
	changed     int64 // time of its last open or close, unix nanoseconds
	channelType uint16
	closed      bool
}

// NewChannels remembers nothing yet.
func NewChannels() *Channels {
	return &Channels{young: map[uint64]state{}, types: map[string]uint16{}, names: [][]byte{nil}, most: maxChannels}
}

// Take returns whether an event counts, and returns it the type of its channel. An
// event that is older than the last open or close of its channel changes nothing: it
// is late, or a duplicate.
func (c *Channels) Take(e *jsonevent.Event) (counts bool) {
	if len(e.ChannelID) == 0 {
		return true
	}
	key := keyOf(e)
	was, known := c.find(key)
	now := was
	if now.channelType == 0 {
		now.channelType = c.number(e.ChannelType)
	} else {
		e.ChannelType = c.names[now.channelType]
	}
	late := known && e.Time < was.changed
	switch {
	case e.Type == jsonevent.ConnectionClose && was.closed:
		return false
	case e.Reopens && (late || !was.closed):
		return false
	case late:
	case e.Type == jsonevent.ConnectionClose, e.Type == jsonevent.ConnectionOpen:
		now.changed, now.closed = e.Time, e.Type == jsonevent.ConnectionClose
	case was.closed && e.Time-was.changed > int64(reopenGrace):
		now.changed, now.closed = e.Time, false
	}
	if now != was || !known {
		c.put(key, now)
	}
	return true
}

func keyOf(e *jsonevent.Event) uint64 {
	var digest xxhash.Digest
	digest.Reset()
	_, _ = digest.Write(e.TenantID)
	_, _ = digest.WriteString("\xff")
	_, _ = digest.Write(e.ChannelID)
	return digest.Sum64()
}

func (c *Channels) find(key uint64) (state, bool) {
	if one, known := c.young[key]; known {
		return one, true
	}
	one, known := c.old[key]
	if known {
		c.put(key, one)
	}
	return one, known
}

func (c *Channels) put(key uint64, one state) {
	if len(c.young) >= c.most {
		if _, known := c.young[key]; !known {
			c.old, c.young = c.young, map[uint64]state{}
		}
	}
	c.young[key] = one
}

// number is that of a channel type; 0 where it is not remembered.
func (c *Channels) number(channelType []byte) uint16 {
	if len(channelType) == 0 || len(channelType) > longestType {
		return 0
	}
	if number, known := c.types[string(channelType)]; known {
		return number
	}
	if len(c.names) > maxTypes {
		return 0
	}
	number := uint16(len(c.names)) //nolint:gosec // at most maxTypes
	name := string(channelType)
	c.types[name] = number
	c.names = append(c.names, []byte(name))
	return number
}

// Sink passes on the events that count.
type Sink struct {
	Channels *Channels
	Next     jsonevent.Sink
}

var _ jsonevent.Sink = (*Sink)(nil)

// Event passes on an event that counts. The others are ignored.
func (s *Sink) Event(e *jsonevent.Event) {
	if !s.Channels.Take(e) {
		s.Next.Ignored()
		return
	}
	s.Next.Event(e)
}

// Violation passes it on.
func (s *Sink) Violation(v *jsonevent.Violation) { s.Next.Violation(v) }

// Ignored passes it on.
func (s *Sink) Ignored() { s.Next.Ignored() }
