// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"fmt"
	"unicode/utf8"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Limits bound the identifiers of events, in bytes.
type Limits struct {
	Dimension int // tenant, region and channel type
	ID        int // channel, user and event
}

// DimensionFault returns the reason for which a text cannot be a dimension; empty:
// it can. Control characters and those that change the direction of writing are
// refused, because dimensions are shown by programs that interpret them.
func (l *Limits) DimensionFault(text []byte) (reason string) {
	switch {
	case len(text) > l.Dimension:
		return wsevent.ViolationFieldTooLong
	case !utf8.Valid(text):
		return wsevent.ViolationInvalidUTF8
	}
	for _, c := range text {
		if c < ' ' || c >= 0x7f { // else it is printable ASCII
			return unprintable(text)
		}
	}
	return ""
}

func unprintable(text []byte) (reason string) {
	for _, r := range string(text) {
		switch {
		case r < ' ', r >= 0x7f && r <= 0x9f, // C0, DEL and C1
			r == 0x2028, r == 0x2029, // separators of lines and paragraphs
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, // embeddings, overrides and isolates
			r == 0x200e, r == 0x200f, r == 0x061c: // marks of direction
			return wsevent.ViolationInvalidCharacter
		}
	}
	return ""
}

// IDFault returns the reason for which the channel, user or event cannot be named as
// it is, and which of them it is.
func (l *Limits) IDFault(e *Event) (reason, detail string) {
	for _, one := range [...]struct {
		key  string
		text []byte
	}{{"channel_id", e.ChannelID}, {"user_id", e.UserID}, {"id", e.ID}} {
		if len(one.text) > l.ID {
			return wsevent.ViolationFieldTooLong, tooLong(one.key, one.text, l.ID)
		}
	}
	return "", ""
}

// DimensionsFault is DimensionFault of the dimensions that an event names.
func (l *Limits) DimensionsFault(e *Event) (reason, detail string) {
	for _, one := range [...]struct {
		key  string
		text []byte
	}{{"tenant_id", e.TenantID}, {"region", e.Region}, {"channel_type", e.ChannelType}} {
		switch reason := l.DimensionFault(one.text); reason {
		case "":
		case wsevent.ViolationFieldTooLong:
			return reason, tooLong(one.key, one.text, l.Dimension)
		case wsevent.ViolationInvalidUTF8:
			return reason, one.key + ": not UTF-8"
		default:
			return reason, one.key + ": has a control character, or one that changes the direction of writing"
		}
	}
	return "", ""
}

func tooLong(key string, text []byte, most int) string {
	return fmt.Sprintf("%s: %d bytes, more than %d", key, len(text), most)
}
