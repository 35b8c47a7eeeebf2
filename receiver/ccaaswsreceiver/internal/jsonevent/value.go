// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// takeText sets a field from a string. It returns what is wrong with it.
func (d *Decoder) takeText(at *pathNode, text []byte) (problem string) {
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
		return d.takeTime(ParseTimestampIn(text, d.location))
	case payloadSizeField, closeCodeField:
		text = bytes.TrimSpace(text)
		if len(text) == 0 { // as any empty text: not given
			return ""
		}
		n, ok := parseNumber(text)
		if !ok {
			return at.field.want()
		}
		return d.takeNumber(at, &n, text)
	default:
		d.takeName(at, text)
		return ""
	}
	d.given |= at.bit
	return ""
}

// takeName takes text that names something; empty text names nothing.
func (d *Decoder) takeName(at *pathNode, text []byte) {
	d.seen |= at.bit
	if len(text) != 0 {
		d.given |= at.bit
		*at.text = text
	}
}

// takeNumber sets a field from a number. It returns what is wrong with it.
func (d *Decoder) takeNumber(at *pathNode, n *number, digits []byte) (problem string) {
	switch at.field {
	case timestampField:
		return d.takeTime(n.epoch())
	case payloadSizeField:
		size, ok := n.integer()
		if !ok {
			return at.field.want()
		}
		d.event.PayloadSize, d.event.HasPayloadSize = size, true
	case closeCodeField:
		code, ok := n.integer()
		if !ok || code > 65535 {
			return at.field.want()
		}
		d.event.CloseCode, d.event.HasCloseCode = code, true
	case typeField:
		return at.field.want()
	default:
		return d.takeNumberAsName(at, n, digits)
	}
	return ""
}

// takeNumberAsName takes an integer as the text of a name: 12345 and 12345.0 are
// "12345".
func (d *Decoder) takeNumberAsName(at *pathNode, n *number, digits []byte) (problem string) {
	if n.negative {
		return at.field.want()
	}
	if n.fractional {
		integer, ok := n.integer()
		if !ok {
			return at.field.want()
		}
		from := len(d.scratch)
		d.scratch = strconv.AppendInt(d.scratch, integer, 10)
		digits = d.scratch[from:len(d.scratch):len(d.scratch)]
	}
	d.takeName(at, digits)
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

// refuse drops a value that is not what it should be: alone where the field is
// optional, else the event becomes a violation.
func (d *Decoder) refuse(at *pathNode, value []byte, problem string) {
	if at.bit&optional != 0 {
		d.event.FieldErrors |= FieldErrors(at.bit)
		return
	}
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
	d.fault(reason, at.path+": "+d.excerpt(value)+" "+problem)
}

// want describes what a field's value is not.
func (f field) want() string {
	switch f {
	case timestampField:
		return errNoTimestamp.Error()
	case channelIDField, userIDField, idField, tenantIDField, regionField, channelTypeField, closeReasonField:
		return "is neither a string nor a whole number"
	case payloadSizeField:
		return "is not a whole number of bytes"
	case closeCodeField:
		return "is not a whole number from 0 to 65535"
	default:
		return "is not a string"
	}
}

// excerpt is the beginning of a value, for a person; without values, only what kind
// of value it is.
func (d *Decoder) excerpt(value []byte) string {
	const enough = 64
	if d.omitValues {
		return kindOf(value)
	}
	if len(value) <= enough {
		return string(value)
	}
	return strings.ToValidUTF8(string(value[:enough]), "") + "…"
}

// kindOf names the JSON type of a value.
func kindOf(value []byte) string {
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a value"
}
