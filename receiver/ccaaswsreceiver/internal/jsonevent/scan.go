// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

// maxDepth is the maximum nesting of objects and arrays.
const maxDepth = 64

// tooDeep is the one cause to stop at what may well be JSON.
const tooDeep = "nested deeper than 64 levels"

// spaces has a bit for each character of JSON's white space.
const spaces = uint64(1<<' ' | 1<<'\n' | 1<<'\r' | 1<<'\t')

// skipSpace returns the place of the first byte that is not JSON's white space.
func skipSpace(frame []byte, pos int) int {
	for pos < len(frame) && frame[pos] <= ' ' && spaces>>frame[pos]&1 != 0 {
		pos++
	}
	return pos
}

// literal validates a word at pos, and returns the place after it.
func (d *Decoder) literal(pos int, word string) (end int, ok bool) {
	if end = pos + len(word); end <= len(d.frame) && string(d.frame[pos:end]) == word {
		return end, true
	}
	return pos, d.syntax(pos, "no such word")
}

// scalar validates the string, number or word at pos.
func (d *Decoder) scalar(pos int) (end int, ok bool) {
	switch c := d.frame[pos]; {
	case c == '"':
		end, _, ok = d.skipString(pos)
		return end, ok
	case c == '-' || isDigit(c):
		return d.number(new(number), pos)
	case c == 't':
		return d.literal(pos, "true")
	case c == 'f':
		return d.literal(pos, "false")
	case c == 'n':
		return d.literal(pos, "null")
	}
	return pos, d.syntax(pos, "a value belongs here")
}

// skip validates the value at pos, which is in depth others, and returns the
// place after it. It keeps its own stack, a bit for each level, so that nesting
// costs nothing and is bounded.
func (d *Decoder) skip(pos, depth int) (end int, ok bool) {
	frame := d.frame
	var objects uint64 // bit 0 is the innermost level: 1 is an object, 0 an array
	level := 0
	for {
		// A value begins here.
		if pos >= len(frame) {
			return pos, d.syntax(pos, "the frame ends where a value belongs")
		}
		switch c := frame[pos]; {
		case c != '{' && c != '[':
			if pos, ok = d.scalar(pos); !ok {
				return pos, false
			}
		case depth+level >= maxDepth:
			return pos, d.syntax(pos, tooDeep)
		default:
			objects <<= 1
			if c == '{' {
				objects |= 1
			}
			level++
			pos = skipSpace(frame, pos+1)
			if pos < len(frame) && frame[pos] == c+2 { // the closing bracket is two after the opening one
				break
			}
			if c == '{' {
				if pos, ok = d.skipKey(pos); !ok {
					return pos, false
				}
			}
			continue
		}
		// A value has ended here, and perhaps what it is in.
		more := false
		for level > 0 && !more {
			pos = skipSpace(frame, pos)
			inObject := objects&1 == 1
			switch {
			case pos >= len(frame):
				return pos, d.syntax(pos, "the frame ends in an object or array")
			case frame[pos] == ',':
				more = true
				pos = skipSpace(frame, pos+1)
				if inObject {
					if pos, ok = d.skipKey(pos); !ok {
						return pos, false
					}
				}
			case frame[pos] == '}' && inObject, frame[pos] == ']' && !inObject:
				pos++
				level--
				objects >>= 1
			default:
				return pos, d.syntax(pos, "a comma or the closing bracket belongs here")
			}
		}
		if !more {
			return pos, true
		}
	}
}

// skipKey validates the key at pos and its colon, and returns the place of the value.
func (d *Decoder) skipKey(pos int) (end int, ok bool) {
	if pos >= len(d.frame) || d.frame[pos] != '"' {
		return pos, d.syntax(pos, "a key belongs here")
	}
	if pos, _, ok = d.skipString(pos); !ok {
		return pos, false
	}
	return d.colon(pos)
}

// colon returns the place of the value after it.
func (d *Decoder) colon(pos int) (end int, ok bool) {
	pos = skipSpace(d.frame, pos)
	if pos >= len(d.frame) || d.frame[pos] != ':' {
		return pos, d.syntax(pos, "a colon belongs here")
	}
	return skipSpace(d.frame, pos+1), true
}
