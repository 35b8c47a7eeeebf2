// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// Kind is what an event says.
type Kind uint8

// The kinds of events. The first four come from the platform and move the
// stream's watermark; the others are said about the stream and never do.
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
)

// fromPlatform tells events of the platform, stamped by its clock, from records
// about the stream, stamped by ours.
func (k Kind) fromPlatform() bool { return k <= MessageReceive }

// counted tells what is counted in a series from what is only known of a stream.
func (k Kind) counted() bool { return k <= Violation }

// Event is one event, as small as the windows need it.
type Event struct {
	Kind     Kind
	Abnormal bool   // of a ConnectionClose: it counts as a drop
	Unknown  bool   // of a message: it has no Bytes; of a ConnectionClose: Abnormal or not is not known
	Socket   uint16 // of Connected and Disconnected: which of a receiver's
	Ahead    int32  // ms that Time is ahead of the receiver's clock, of events of the platform
	Time     int64  // unix ms; of a Gap: its start
	Channel  uint64 // hash of the channel id; 0 for none
	Bytes    int64  // payload of a message

	GapEnd int64   // unix ms
	Every  int64   // of Alive: how much time it speaks for, ms; of Connected: that of the signs to come
	Skew   float64 // ms, positive: the platform is ahead
}
