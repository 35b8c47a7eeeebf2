// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"fmt"
	"slices"
	"strings"
)

// Malformation is a way in which a frame, or an object in it, is no event.
type Malformation uint8

// The malformations.
const (
	WellFormed Malformation = iota

	// Frames of their own, because they would spoil their neighbours.

	NotJSON
	Truncated
	InvalidUTF8
	TooDeep
	BinaryFrame
	FrameTooLarge
	NulBytes

	// Objects among others, which must survive them.

	DuplicateKey
	WrongType
	MissingType
	UnknownType
	MissingChannelID
	MissingTimestamp
	BadTimestamp
	Malformations
)

// Alone reports that it is a frame of its own.
func (m Malformation) Alone() bool { return m > WellFormed && m < DuplicateKey }

func (m Malformation) String() string {
	return [Malformations]string{
		"well_formed", "not_json", "truncated", "invalid_utf8", "too_deep", "binary_frame", "frame_too_large", "nul_bytes",
		"duplicate_key", "wrong_type", "missing_type", "unknown_type", "missing_channel_id", "missing_timestamp", "bad_timestamp",
	}[m]
}

// MalformedKinds are the names of all kinds of malformed frames and objects.
func MalformedKinds() []string {
	names := make([]string, 0, Malformations)
	for m := NotJSON; m < Malformations; m++ {
		names = append(names, m.String())
	}
	return names
}

// ParseMalformation returns the kind of a name.
func ParseMalformation(name string) (Malformation, error) {
	at := slices.Index(MalformedKinds(), name)
	if at < 0 {
		return WellFormed, fmt.Errorf("unknown kind %q, want one of %s", name, strings.Join(MalformedKinds(), ", "))
	}
	return NotJSON + Malformation(at), nil
}
