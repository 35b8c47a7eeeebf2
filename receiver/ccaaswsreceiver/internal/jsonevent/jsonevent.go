// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package jsonevent turns one text frame of a platform into events. It is pure: no
// pdata, no clock, no goroutine, and nothing is allocated per event.
//
// A frame is one JSON object, an array of objects, or objects separated by
// newlines. What cannot be an event becomes a Violation, and its neighbours go on.
package jsonevent

// Type is the type of an event.
type Type uint8

// The types of events.
const (
	ConnectionOpen Type = iota
	ConnectionClose
	MessageSend
	MessageReceive
)

// Message reports whether events of the type are messages.
func (t Type) Message() bool { return t == MessageSend || t == MessageReceive }

// Clock is by whose clock the time of an event is.
type Clock uint8

// The clocks of events.
const (
	PlatformClock Clock = iota
	OtherClock          // of a provider of the platform, or not known whose
	ReceiverClock       // ours: the platform gave no time
)

// Event is one event of a frame. Its slices alias the frame or the decoder's own
// memory and are valid until the Sink's call returns; an absent field is nil.
type Event struct {
	Type        Type
	Time        int64 // unix nanoseconds
	Clock       Clock // that Time is by
	ChannelID   []byte
	UserID      []byte
	ID          []byte
	TenantID    []byte
	Region      []byte
	ChannelType []byte

	PayloadSize    int64 // bytes
	HasPayloadSize bool
	CloseCode      int64 // RFC 6455 section 7.4
	HasCloseCode   bool
	CloseReason    []byte

	// Reopens is an open that counts only for a channel that was closed (see Reopen).
	Reopens bool

	// Reconstructed is an open or a close that was not received, but derived from a
	// snapshot or from the platform's history. Opened is the start of the channel of such
	// an open, in unix nanoseconds, where it is known; 0: it is not.
	Reconstructed bool
	Opened        int64

	// FieldErrors are the optional fields that had a value which could not be read.
	FieldErrors FieldErrors

	Raw []byte // the event's object as received
}

// Violation is a piece of a frame that is no event. The dimensions are those
// that could still be read.
type Violation struct {
	Reason      string // one of wsevent's Violation constants
	Detail      string // for a person: which field, which byte; may be empty
	TenantID    []byte
	Region      []byte
	ChannelType []byte
	Raw         []byte // the offending piece, uncut
}

// Sink takes what a frame holds, in the frame's order.
type Sink interface {
	Event(*Event)
	Violation(*Violation)
	// Ignored is an object that is well, and no event of ours.
	Ignored()
}
