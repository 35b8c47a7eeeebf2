// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Kind is the kind of an event.
type Kind uint8

// The kinds of events. The first four come from the platform and move the
// stream's watermark; the others are about the stream and never do.
const (
	ConnectionOpen Kind = iota
	ConnectionClose
	MessageSend
	MessageReceive
	Backpressure
	Violation
	Connected
	Disconnected
	Gap
	Skew
	Alive
	Healed
	Reconciled
)

// fromPlatform separates events that the platform has sent, stamped by its clock, from
// records about the stream, stamped by ours, and from reconstructed events.
func (e *Event) fromPlatform() bool {
	return e.Kind <= MessageReceive && e.Reconstructed == Received
}

// counted separates what is counted in a series from what is only known of a stream.
func (k Kind) counted() bool { return k <= Violation }

// Event is one event, as small as the windows need it.
type Event struct {
	Kind     Kind
	Abnormal bool // of a ConnectionClose: it counts as a drop
	Shutdown bool // of a Disconnected: its receiver has ended
	// Unknown: a message has no Bytes; whether a ConnectionClose was Abnormal is not known;
	// in a Gap the state at start was not known, and no event is missing; some opens and closes
	// of a Healed stay unknown.
	Unknown bool
	// Reconstructed is how a ConnectionOpen or a ConnectionClose is known.
	Reconstructed Reconstructed
	Socket        uint16 // of Connected, Disconnected and Alive: which of a receiver's
	Time          int64  // unix ms; of a Gap and a Healed: its start
	Observed      int64  // unix ms, the receiver's clock; 0: unknown, the arrival is taken
	Channel       uint64 // hash of the channel id; 0 for none
	Bytes         int64  // payload of a message

	GapEnd int64   // unix ms
	Every  int64   // of Alive: the time that it covers, ms; of Connected: the interval of the heartbeats
	Skew   float64 // ms, positive: the platform is ahead

	Detail   *Detail // what sessions need besides; nil where they are not kept
	reopened bool    // of a ConnectionOpen: its user's latest session was dropped
}

// observed is when the event was read, as far as can be: never ahead of the wall clock.
func (e *Event) observed(now int64) int64 {
	if e.Observed <= 0 || e.Observed > now {
		return now
	}
	return e.Observed
}

// AnySocket is the Socket of an Alive that names none.
const AnySocket = math.MaxUint16

// Dimensions is a set of the three dimensions.
type Dimensions uint8

// The dimensions of a set of tags.
const (
	Tenant Dimensions = 1 << iota
	Region
	ChannelType
)

// Group is the events of one set of tags, in their order of arrival.
type Group struct {
	Tags wsevent.Tags
	// Defaulted are the dimensions that the events do not name themselves: their
	// values in Tags are configured, or unknown.
	Defaulted Dimensions
	Events    []Event
}
