// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"cmp"
	"time"
	"unicode/utf8"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Decoder decodes the frames of one connection. It remembers the order of keys
// from object to object, and its memory is the events'.
type Decoder struct {
	fields Fields
	root   *pathNode
	frame  []byte
	sink   Sink

	// The piece being decoded.
	event   Event
	seen    fieldSet // fields whose key was there
	given   fieldSet // fields that have a value
	high    uint64   // has a high bit set if the piece may be more than ASCII
	scratch []byte   // strings without their escapes
	reason  string   // the first thing that makes it a violation
	detail  string

	// Where the piece stopped being JSON, and why.
	stopped int
	cause   string

	mapping *mapping // nil: each field has one path
	usage   usage

	location   *time.Location // of times without a zone; nil: UTC
	omitValues bool           // no value of a frame is in a Violation's Detail

	unclosed  bool // an array was left before its end, so a comma and its bracket may follow
	violation Violation
}

// NewDecoder returns a decoder for frames whose events have the given fields.
func NewDecoder(fields Fields) (*Decoder, error) { return decoderFor(fields, nil) }

func decoderFor(fields Fields, types Types) (*Decoder, error) {
	d := &Decoder{fields: fields}
	root, mapping, err := newTree(&fields, types, &d.event)
	if err != nil {
		return nil, err
	}
	d.root, d.mapping = root, mapping
	return d, nil
}

// SetLocation sets the zone of times that name none. It is UTC by default.
func (d *Decoder) SetLocation(location *time.Location) { d.location = location }

// OmitValues keeps values of frames out of the Detail of violations.
func (d *Decoder) OmitValues() { d.omitValues = true }

// maxScratch is the largest memory for strings with escapes, in bytes, that is kept
// from frame to frame.
const maxScratch = 64 << 10

// Decode returns the sink every event of a frame, and a Violation for every piece
// of it that is not an event. After a piece that is not JSON, decoding continues at its end
// if that can be determined, else at the next line that begins with { or [.
func (d *Decoder) Decode(frame []byte, sink Sink) {
	d.frame, d.sink, d.unclosed = frame, sink, false
	for pos := skipSpace(frame, 0); pos < len(frame); pos = skipSpace(frame, pos) {
		switch c := frame[pos]; {
		case c == '[' && d.root.elements == nil:
			pos = d.array(pos)
		case c == ',' && d.unclosed:
			pos++
		case c == ']' && d.unclosed:
			d.unclosed = false
			pos++
		default:
			pos, _ = d.piece(pos, false)
		}
	}
	d.frame, d.sink = nil, nil
	if cap(d.scratch) > maxScratch {
		d.scratch = nil
	}
}

// array decodes the array at start, and returns the position where decoding continues.
func (d *Decoder) array(start int) (end int) {
	frame := d.frame
	pos := skipSpace(frame, start+1)
	if pos < len(frame) && frame[pos] == ']' {
		return pos + 1
	}
	for pos < len(frame) {
		end, complete := d.piece(pos, true)
		pos = skipSpace(frame, end)
		for complete && !d.endsElement(pos) {
			end, complete = d.unexpectedToken(pos)
			pos = skipSpace(frame, end)
		}
		switch {
		case !complete:
			d.unclosed = true
			return pos
		case pos >= len(frame) || opensLine(frame, pos):
			return d.notClosed(start, pos)
		case frame[pos] == ']':
			return pos + 1
		}
		pos = skipSpace(frame, pos+1)
	}
	return d.notClosed(start, pos)
}

// endsElement reports whether what is at pos may follow an element, the beginning
// of a line that belongs to no array included.
func (d *Decoder) endsElement(pos int) bool {
	return pos >= len(d.frame) || d.frame[pos] == ',' || d.frame[pos] == ']' || opensLine(d.frame, pos)
}

// unexpectedToken rejects what is between an element and the next comma.
func (d *Decoder) unexpectedToken(start int) (end int, complete bool) {
	d.begin()
	d.syntax(start, "a comma or ] belongs here")
	return d.resync(start, true)
}

// notClosed rejects an array that has no end; its elements have been passed on.
func (d *Decoder) notClosed(start, end int) int {
	d.begin()
	d.unclosed = true
	d.fault(wsevent.ViolationNotJSON, "the array is not closed")
	d.reject(trimSpace(d.frame[start:end]))
	return end
}

// piece decodes the event at start, or rejects other content there, and returns the
// position where decoding continues. It is complete unless its end is only assumed.
func (d *Decoder) piece(start int, inArray bool) (end int, complete bool) {
	d.begin()
	var ok bool
	switch {
	case d.frame[start] == '{':
		end, ok = d.object(d.root, start, 1)
	case d.frame[start] == '[' && d.root.elements != nil:
		end, ok = d.list(d.root, start, 1)
	default:
		end, ok = d.notObject(start, inArray)
	}
	if !ok {
		return d.resync(start, inArray)
	}
	d.finish(d.frame[start:end])
	return end, true
}

func (d *Decoder) begin() {
	d.event = Event{}
	d.seen, d.given, d.high = 0, 0, 0
	d.scratch = d.scratch[:0]
	if d.reason != "" {
		d.reason, d.detail = "", ""
	}
	if d.mapping != nil {
		clear(d.mapping.slots)
	}
}

// notObject validates a value that should be an object.
func (d *Decoder) notObject(start int, inArray bool) (end int, ok bool) {
	end, ok = d.skip(start, 0)
	if !ok {
		return end, false
	}
	if !d.delimited(end, inArray) {
		return end, d.syntax(end, "nothing belongs here after the value")
	}
	d.fault(wsevent.ViolationWrongType, d.excerpt(d.frame[start:end])+" is not an object")
	return end, true
}

// finish hands on a piece that is JSON.
func (d *Decoder) finish(raw []byte) {
	if d.mapping != nil && d.reason == "" && !d.mapping.resolve(d) {
		d.sink.Ignored()
		return
	}
	switch {
	case d.high&highs != 0 && !utf8.Valid(raw):
		d.invalidUTF8(raw)
	case d.reason == "" && d.given&required != required:
		d.missing()
	}
	if d.reason != "" {
		d.reject(raw)
		return
	}
	d.event.Raw = raw
	d.usage.count(&d.event, d.given)
	d.sink.Event(&d.event)
}

// missing notes a field that no event is without.
func (d *Decoder) missing() {
	const nothing = "nothing is given at "
	switch missing := required &^ d.given; {
	case missing&typeField.bit() != 0:
		d.fault(wsevent.ViolationMissingType, nothing+cmp.Or(d.fields.Type, "the paths of types"))
	case missing&channelIDField.bit() != 0:
		d.fault(wsevent.ViolationMissingChannelID, nothing+d.fields.ChannelID)
	default:
		d.fault(wsevent.ViolationMissingTimestamp, nothing+d.fields.Timestamp)
	}
}

// fault notes what is wrong with the piece. The first fault is reported.
func (d *Decoder) fault(reason, detail string) {
	if d.reason == "" {
		d.reason, d.detail = reason, detail
	}
}

// reject hands on a piece that is no event, with the dimensions read from it.
func (d *Decoder) reject(raw []byte) {
	d.violation = Violation{
		Reason:      d.reason,
		Detail:      d.detail,
		TenantID:    readable(d.event.TenantID),
		Region:      readable(d.event.Region),
		ChannelType: readable(d.event.ChannelType),
		Raw:         raw,
	}
	d.sink.Violation(&d.violation)
}

// readable is a dimension unless it is not text.
func readable(dimension []byte) []byte {
	if !utf8.Valid(dimension) {
		return nil
	}
	return dimension
}
