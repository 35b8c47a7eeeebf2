// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// object reads the object at pos, whose level is depth, and returns the place after it.
func (d *Decoder) object(at *pathNode, pos, depth int) (end int, ok bool) {
	frame := d.frame
	pos = skipSpace(frame, pos+1)
	if pos < len(frame) && frame[pos] == '}' {
		return pos + 1, true
	}
	expected := &at.first
	for {
		member := *expected
		if after := pos + len(member.token); after <= len(frame) && string(frame[pos:after]) == member.token {
			pos = skipSpace(frame, after)
		} else {
			if member, pos, ok = d.key(at, pos); !ok {
				return pos, false
			}
			*expected = member
		}
		expected = &member.next

		if pos, ok = d.value(member, pos, depth); !ok {
			return pos, false
		}
		pos = skipSpace(frame, pos)
		switch {
		case pos >= len(frame):
			return pos, d.syntax(pos, "the frame ends in an object")
		case frame[pos] == ',':
			pos = skipSpace(frame, pos+1)
		case frame[pos] == '}':
			return pos + 1, true
		default:
			return pos, d.syntax(pos, "a comma or } belongs here")
		}
	}
}

// key looks up the key at pos, and returns the place of its value.
func (d *Decoder) key(at *pathNode, pos int) (member *pathNode, value int, ok bool) {
	if pos >= len(d.frame) || d.frame[pos] != '"' {
		return nil, pos, d.syntax(pos, "a key belongs here")
	}
	key, end, ok := d.text(pos)
	if !ok {
		return nil, end, false
	}
	value, ok = d.colon(end)
	if !ok {
		return nil, value, false
	}
	member, known := at.members[string(key)]
	if !known {
		member = at.learn(key)
	}
	return member, value, true
}

// list reads the array at pos, whose level is depth, and returns the place after it.
func (d *Decoder) list(at *pathNode, pos, depth int) (end int, ok bool) {
	frame := d.frame
	pos = skipSpace(frame, pos+1)
	if pos < len(frame) && frame[pos] == ']' {
		return pos + 1, true
	}
	for i := 0; ; i++ {
		if element := at.elements[i]; element != nil {
			pos, ok = d.value(element, pos, depth)
		} else {
			pos, ok = d.skip(pos, depth)
		}
		if !ok {
			return pos, false
		}
		pos = skipSpace(frame, pos)
		switch {
		case pos >= len(frame):
			return pos, d.syntax(pos, "the frame ends in an array")
		case frame[pos] == ',':
			pos = skipSpace(frame, pos+1)
		case frame[pos] == ']':
			return pos + 1, true
		default:
			return pos, d.syntax(pos, "a comma or ] belongs here")
		}
	}
}

// value reads the value at pos, which is in depth others, and returns the place
// after it.
func (d *Decoder) value(at *pathNode, pos, depth int) (end int, ok bool) {
	if at.text != nil && at.also == nil && d.seen&at.bit == 0 && pos < len(d.frame) && d.frame[pos] == '"' {
		// Most values are text, and most text has no escapes.
		if end = d.scanPlain(pos + 1); end < len(d.frame) && d.frame[end] == '"' {
			d.takeName(at, d.frame[pos+1:end:end])
			return end + 1, true
		}
	}
	switch {
	case pos >= len(d.frame):
		return pos, d.syntax(pos, "the frame ends where a value belongs")
	case at.span != 0:
		return d.spanned(at, pos, depth)
	case at.field == noField && d.frame[pos] == '{' && at.members != nil:
		return d.object(at, pos, depth+1)
	case at.field == noField && d.frame[pos] == '[' && at.elements != nil:
		return d.list(at, pos, depth+1)
	case at.field == noField:
		return d.skip(pos, depth)
	}
	end, ok = d.fieldValue(at, pos, depth)
	for other := at.also; ok && other != nil; other = other.also {
		_, ok = d.fieldValue(other, pos, depth)
	}
	return end, ok
}

// fieldValue reads the value at pos for the field that is there.
func (d *Decoder) fieldValue(at *pathNode, pos, depth int) (end int, ok bool) {
	if at.field == captureField {
		return d.captureValue(at, pos, depth)
	}
	if d.seen&at.bit != 0 {
		if d.reason == "" {
			d.fault(wsevent.ViolationDuplicateKey, at.path+": the field is given twice")
		}
		return d.skip(pos, depth)
	}
	d.seen |= at.bit

	problem := ""
	switch c := d.frame[pos]; {
	case c == '"':
		var text []byte
		if text, end, ok = d.text(pos); ok {
			problem = d.takeText(at, text)
		}
	case c == '-' || isDigit(c):
		var n number
		if end, ok = d.number(&n, pos); ok {
			problem = d.takeNumber(at, &n, d.frame[pos:end])
		}
	default:
		if end, ok = d.skip(pos, depth); ok && (c != 'n' || at.field == timestampField) {
			problem = at.field.want()
		}
	}
	if !ok {
		return end, false
	}
	if problem != "" {
		d.refuse(at, d.frame[pos:end], problem)
	}
	return end, true
}
