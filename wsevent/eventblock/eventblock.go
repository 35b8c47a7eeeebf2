// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventblock encodes the events of one series into bytes, and decodes them. The
// bytes are columns of small numbers with a version and a checksum; docs/event-blocks.md
// has the format and an example.
//
// The package is pure: no pdata, no clock, no goroutine. Decoding allocates nothing.
package eventblock

import (
	"errors"

	"github.com/cespare/xxhash/v2"
)

// Version is the version of the format that this package writes, and the only one that it
// reads.
const Version = 1

// MaxEvents is the maximum number of events of a block.
const MaxEvents = 1 << 20

// Reasons why bytes are not a block. The errors of Reader wrap one of them.
var (
	ErrVersion   = errors.New("version")
	ErrChecksum  = errors.New("checksum")
	ErrMalformed = errors.New("malformed")
)

// Reason returns the name of an error's reason for own telemetry: version, checksum or
// malformed.
func Reason(err error) string {
	for _, reason := range []error{ErrVersion, ErrChecksum} {
		if errors.Is(err, reason) {
			return reason.Error()
		}
	}
	return ErrMalformed.Error()
}

// Kind is the kind of an event.
type Kind uint8

// The kinds of events.
const (
	ConnectionOpen Kind = iota
	ConnectionClose
	MessageSend
	MessageReceive
)

// Message reports whether events of the kind are messages.
func (k Kind) Message() bool { return k >= MessageSend }

// Class is whether a close was abnormal.
type Class uint8

// The classes of a close.
const (
	Unclassified Class = iota // the platform does not report it
	Normal
	Abnormal
)

// Event is an event of a block. Its slices alias the bytes of the block.
type Event struct {
	Kind     Kind
	Class    Class  // of a ConnectionClose
	Sized    bool   // of a message: Size is known
	Time     int64  // unix ns, the platform's; 0: none
	Observed int64  // unix ns, of arrival; 0: not known
	Channel  uint64 // Hash of the channel's id; 0: none
	Size     int64  // of a message, bytes

	// Of opens and closes only: what a session has. Nil or empty: not known.
	ChannelID []byte
	UserID    []byte

	// Of closes only.
	HasCode     bool
	CloseCode   int64
	CloseReason []byte
}

// Hash is the hash by which a channel is identified: XXH64 with seed 0, at least 1; 0 is
// that of an empty id. With a million channels, two of them share a hash once in some
// forty million tries.
func Hash(channelID []byte) uint64 {
	if len(channelID) == 0 {
		return 0
	}
	return max(1, xxhash.Sum64(channelID))
}

// HashString is Hash for a string.
func HashString(channelID string) uint64 {
	if channelID == "" {
		return 0
	}
	return max(1, xxhash.Sum64String(channelID))
}

// The header: where its fields begin. Numbers are little endian.
const (
	versionAt       = 0  // 1 byte
	timeUnitAt      = 1  // 1 byte: an exponent of ten, ns
	observedUnitAt  = 2  // the same
	checksumAt      = 4  // uint32: CRC-32C of the block, with these four bytes 0
	eventsAt        = 8  // uint32
	timesAt         = 12 // uint32: length of a column, in bytes
	observedAt      = 16 // the same
	sizesAt         = 20 // the same
	firstTimeAt     = 24 // int64: unix ns
	firstObservedAt = 32 // the same
	headerSize      = 40
)

// channelSize is the size of a hash, in bytes.
const channelSize = 8

// The bits of a kind's byte. All others are 0.
const (
	kindBits   = 0x03
	classShift = 2 // of a close: its Class; of a message: 1 if it is sized
	classBits  = 0x0c
)

// Units of times, as exponents of ten: milliseconds, microseconds or nanoseconds.
const (
	millisecond = 6
	microsecond = 3
	nanosecond  = 0
)

// unitOf returns the length of a unit, in ns; 0 if there is no such unit.
func unitOf(exponent byte) int64 {
	switch exponent {
	case millisecond:
		return 1e6
	case microsecond:
		return 1e3
	case nanosecond:
		return 1
	default:
		return 0
	}
}
