// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// takeText takes a string for a field, or says why it cannot.
func (d *Decoder) takeText(at *place, text []byte) (problem string) {
	switch at.field {
	case typeField:
		switch string(text) {
		case wsevent.ConnectionOpen:
			d.event.Type = ConnectionOpen
		case wsevent.ConnectionClose:
			d.event.Type = ConnectionClose
		case wsevent.MessageSend:
			d.event.Type = MessageSend
		case wsevent.MessageReceive:
			d.event.Type = MessageReceive
		default:
			return "is no type of event"
		}
	case timestampField:
		return d.takeTime(ParseTimestamp(text))
	case payloadSizeField, closeCodeField:
		return at.field.want()
	default:
		d.takeName(at, text)
		return ""
	}
	d.given |= at.bit
	return ""
}

// takeName takes text that names something; empty text names nothing.
func (d *Decoder) takeName(at *place, text []byte) {
	d.seen |= at.bit
	if len(text) != 0 {
		d.given |= at.bit
		*at.text = text
	}
}

// takeNumber takes a number for a field, or says why it cannot.
func (d *Decoder) takeNumber(at *place, n *number, digits []byte) (problem string) {
	switch at.field {
	case timestampField:
		return d.takeTime(n.epoch())
	case payloadSizeField:
		d.event.PayloadSize, d.event.HasPayloadSize = n.whole()
		if !d.event.HasPayloadSize {
			return at.field.want()
		}
	case closeCodeField:
		d.event.CloseCode, d.event.HasCloseCode = n.whole()
		if !d.event.HasCloseCode || d.event.CloseCode > 65535 {
			return at.field.want()
		}
	case channelIDField, userIDField, idField:
		if n.negative || n.fractional {
			return at.field.want()
		}
		d.takeName(at, digits)
	default:
		return at.field.want()
	}
	return ""
}

func (d *Decoder) takeTime(nanoseconds int64, err error) (problem string) {
	if err != nil {
		return err.Error()
	}
	d.event.Time = nanoseconds
	d.given |= timestampField.bit()
	return ""
}

// refuse notes that a field's value is not what it should be.
func (d *Decoder) refuse(at *place, value []byte, problem string) {
	if d.reason != "" { // which spares the words
		return
	}
	reason := wsevent.ViolationWrongType
	switch {
	case at.field == timestampField:
		reason = wsevent.ViolationBadTimestamp
	case at.field == typeField && value[0] == '"':
		reason = wsevent.ViolationUnknownType
	}
	d.fault(reason, at.path+": "+excerpt(value)+" "+problem)
}

// want says what a field's value is not.
func (f field) want() string {
	switch f {
	case timestampField:
		return errNoTimestamp.Error()
	case channelIDField, userIDField, idField:
		return "is neither a string nor a whole number"
	case payloadSizeField:
		return "is not a whole number of bytes"
	case closeCodeField:
		return "is not a whole number from 0 to 65535"
	default:
		return "is not a string"
	}
}

// excerpt is the beginning of a value, for a person.
func excerpt(value []byte) string {
	const enough = 64
	if len(value) <= enough {
		return string(value)
	}
	return strings.ToValidUTF8(string(value[:enough]), "") + "…"
}
