// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// syntax notes where the frame stops being JSON. It is false, for the caller to
// return.
func (d *Decoder) syntax(pos int, cause string) bool {
	d.stopped, d.cause = pos, cause
	return false
}

// resync rejects the piece at start, which is not JSON, and returns the position where
// decoding continues. The piece is complete if it ends there.
func (d *Decoder) resync(start int, inArray bool) (end int, complete bool) {
	end, complete = d.pieceEnd(start, inArray)
	raw := trimSpace(d.frame[start:end])
	if len(raw) == 0 { // two commas, or a comma before the bracket
		raw = d.frame[start : start+1]
	}
	d.reason, d.detail = wsevent.ViolationNotJSON, byteDetail(d.stopped-start, d.cause)
	switch {
	case !utf8.Valid(withoutPartialRune(raw)):
		d.invalidUTF8(raw)
	case d.cause == tooDeep:
		d.reason = wsevent.ViolationTooDeep
	}
	if complete && raw[0] == '{' {
		d.recoverDimensions(start, end)
	}
	d.reject(raw)
	return end, complete
}

// invalidUTF8 makes the piece a violation for this reason, which overrides others.
func (d *Decoder) invalidUTF8(raw []byte) {
	at := 0
	for at < len(raw) {
		r, size := utf8.DecodeRune(raw[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	d.reason, d.detail = wsevent.ViolationInvalidUTF8, byteDetail(at, "not UTF-8")
}

// byteDetail adds the position in a piece to a detail.
func byteDetail(at int, what string) string { return "byte " + strconv.Itoa(at) + ": " + what }

// trimSpace removes the white space at the end of a piece.
func trimSpace(raw []byte) []byte { return bytes.TrimRight(raw, " \n\r\t") }

// withoutPartialRune removes an incomplete character at the end of a truncated frame.
func withoutPartialRune(raw []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(raw); i++ {
		if last := raw[len(raw)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return raw[:len(raw)-i]
			}
			break
		}
	}
	return raw
}

// pieceEnd finds the end of a piece that is not JSON. Where its brackets or the
// next comma do not determine it, a new line does; then the piece is not complete.
func (d *Decoder) pieceEnd(start int, inArray bool) (end int, complete bool) {
	end = start
	if c := d.frame[start]; c == '{' || c == '[' {
		if end, complete = d.closing(start); !complete || d.delimited(end, inArray) {
			return end, complete
		}
	}
	if inArray {
		return d.separator(end)
	}
	return d.nextLine(end), false
}

// closing finds the place after the bracket that closes the one at start. It only
// counts brackets of that one kind, so that a missing one of the other kind has
// no effect. It stops at a new line.
func (d *Decoder) closing(start int) (end int, found bool) {
	frame, opening, level := d.frame, d.frame[start], 0
	for pos := start; pos < len(frame); pos++ {
		switch frame[pos] {
		case '"':
			pos = closingQuote(frame, pos)
		case opening:
			level++
		case opening + 2:
			level--
			if level == 0 {
				return pos + 1, true
			}
		case '\n':
			if d.canResync(pos + 1) {
				return pos + 1, false
			}
		}
	}
	return len(frame), false
}

// separator finds the comma or bracket that ends an array's element. It stops
// at a new line.
func (d *Decoder) separator(start int) (end int, found bool) {
	frame, level := d.frame, 0
	for pos := start; pos < len(frame); pos++ {
		switch c := frame[pos]; {
		case c == '"':
			pos = closingQuote(frame, pos)
		case level == 0 && (c == ',' || c == ']'):
			return pos, true
		case c == '{' || c == '[':
			level++
		case c == '}' || c == ']':
			level = max(level-1, 0)
		case c == '\n' && d.canResync(pos+1):
			return pos + 1, false
		}
	}
	return len(frame), false
}

// nextLine finds the next line where decoding may resume.
func (d *Decoder) nextLine(from int) int {
	for pos := from; ; pos++ {
		newline := bytes.IndexByte(d.frame[pos:], '\n')
		if newline < 0 {
			return len(d.frame)
		}
		if pos += newline; d.canResync(pos + 1) {
			return pos + 1
		}
	}
}

// canResync reports whether a line begins at pos that decoding may resume at.
func (d *Decoder) canResync(pos int) bool { return pos >= d.stopped && opensLine(d.frame, pos) }

// opensLine reports whether pos is the beginning of a line, and of an object or array.
func opensLine(frame []byte, pos int) bool {
	return pos > 0 && pos < len(frame) && frame[pos-1] == '\n' && (frame[pos] == '{' || frame[pos] == '[')
}

// closingQuote finds the quote that closes the string at pos. A string does not
// continue on the next line, so it ends there at the latest.
func closingQuote(frame []byte, pos int) int {
	for pos++; pos < len(frame); pos++ {
		switch frame[pos] {
		case '"':
			return pos
		case '\n':
			return pos - 1
		case '\\':
			if pos+1 < len(frame) && frame[pos+1] != '\n' {
				pos++
			}
		}
	}
	return pos
}

// delimited reports whether a piece may end at pos.
func (d *Decoder) delimited(pos int, inArray bool) bool {
	next := skipSpace(d.frame, pos)
	if next == len(d.frame) {
		return true
	}
	c := d.frame[next]
	if inArray || d.unclosed && (c == ',' || c == ']') {
		return c == ',' || c == ']'
	}
	return c == '{' || c == '[' || bytes.IndexByte(d.frame[pos:next], '\n') >= 0
}

// recoverDimensions reads the dimensions behind the position where an object stops
// being JSON. Only keys of the object itself are looked at.
func (d *Decoder) recoverDimensions(start, end int) {
	level, stopped := 0, d.stopped
	for pos := start; pos < end; pos++ {
		switch d.frame[pos] {
		case '{':
			level++
		case '}':
			level--
		case '"':
			if level == 1 && pos >= stopped {
				d.recoverDimension(pos)
			}
			pos = closingQuote(d.frame, pos)
		}
	}
}

// recoverDimension reads the value of the key at pos, if it is a dimension's.
func (d *Decoder) recoverDimension(pos int) {
	key, pos, ok := d.text(pos)
	if !ok {
		return
	}
	if pos, ok = d.colon(pos); !ok || pos >= len(d.frame) || d.frame[pos] != '"' {
		return
	}
	at := d.root.members[string(key)]
	if at == nil || at.bit&dimensions&^d.seen == 0 {
		return
	}
	if text, _, ok := d.text(pos); ok {
		d.takeName(at, text)
	}
}
