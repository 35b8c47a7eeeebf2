// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package frame // import "github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// maxDepth is how deep objects and arrays may stand in each other.
const maxDepth = 64

// Every byte of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func isDigit(c byte) bool { return c-'0' <= 9 }

// spaces has a bit for each character of JSON's white space.
const spaces = uint64(1<<' ' | 1<<'\n' | 1<<'\r' | 1<<'\t')

// skipSpace gives the place of the first byte that is not JSON's white space.
func skipSpace(frame []byte, pos int) int {
	for pos < len(frame) && frame[pos] <= ' ' && spaces>>frame[pos]&1 != 0 {
		pos++
	}
	return pos
}

// run gives the place of the first byte from pos on that is not simply a part of a
// string: a quote, a backslash, a control character. On its way it notes in
// d.high whether there was anything but ASCII, which is validated later.
func (d *Decoder) run(pos int) int {
	frame, high := d.frame, d.high
	for pos+8 <= len(frame) {
		word := binary.LittleEndian.Uint64(frame[pos:])
		high |= word
		// In a byte below 128, subtracting borrows into the highest bit where the
		// byte is smaller. Flipping bit 1 puts the quote right after the control
		// characters, in the place of the space.
		quoteOrControl := word ^ 0x02*ones - 0x21*ones
		backslash := word ^ '\\'*ones - ones
		if found := (quoteOrControl | backslash) &^ word & highs; found != 0 {
			d.high = high
			return pos + bits.TrailingZeros64(found)>>3
		}
		pos += 8
	}
	for pos < len(frame) {
		c := frame[pos]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		high |= uint64(c)
		pos++
	}
	d.high = high
	return pos
}

// skipString validates the string at pos, and gives the place after it.
func (d *Decoder) skipString(pos int) (end int, escaped, ok bool) {
	frame := d.frame
	pos++
	for {
		pos = d.run(pos)
		if pos >= len(frame) {
			return pos, escaped, d.syntax(pos, "the frame ends in a string")
		}
		switch frame[pos] {
		case '"':
			return pos + 1, escaped, true
		case '\\':
			escaped = true
			size := escapeSize(frame[pos:])
			if size == 0 {
				return pos, escaped, d.syntax(pos, "no such escape in a string")
			}
			pos += size
		default:
			return pos, escaped, d.syntax(pos, "a control character in a string")
		}
	}
}

// escapeSize is the number of bytes of the escape that s begins with, 0 if it is none.
func escapeSize(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(s[2:]); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the four digits of \u0000.
func hex4(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// text gives the string at pos as it reads: without escapes it is a piece of the
// frame, else it stands in the decoder's scratch.
func (d *Decoder) text(pos int) (text []byte, end int, ok bool) {
	end, escaped, ok := d.skipString(pos)
	if !ok {
		return nil, end, false
	}
	text = d.frame[pos+1 : end-1 : end-1]
	if escaped {
		from := len(d.scratch)
		d.scratch = appendUnescaped(d.scratch, text)
		text = d.scratch[from:len(d.scratch):len(d.scratch)]
	}
	return text, end, true
}

// appendUnescaped appends a validated string without its escapes. A surrogate that
// is not one of a pair becomes U+FFFD, as with encoding/json.
func appendUnescaped(to, s []byte) []byte {
	for {
		at := bytes.IndexByte(s, '\\')
		if at < 0 {
			return append(to, s...)
		}
		to = append(to, s[:at]...)
		c := s[at+1]
		s = s[at+2:]
		switch c {
		case 'u':
			r, _ := hex4(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				r, s = joinSurrogates(r, s)
			}
			to = utf8.AppendRune(to, r)
		case 'b':
			to = append(to, '\b')
		case 'f':
			to = append(to, '\f')
		case 'n':
			to = append(to, '\n')
		case 'r':
			to = append(to, '\r')
		case 't':
			to = append(to, '\t')
		default:
			to = append(to, c)
		}
	}
}

// joinSurrogates takes the second surrogate of a pair from s, if it is there.
func joinSurrogates(first rune, s []byte) (rune, []byte) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return utf8.RuneError, s
	}
	second, _ := hex4(s[2:])
	if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
		return r, s[6:]
	}
	return utf8.RuneError, s
}

// maxDigits is how many decimal digits fit in a mantissa, whichever they are.
const maxDigits = 19

// powers are the powers of ten up to that.
var powers = func() (p [maxDigits + 1]uint64) {
	p[0] = 1
	for i := range maxDigits {
		p[i+1] = p[i] * 10
	}
	return p
}()

// number is a JSON number: mantissa × 10^exponent. Digits past the 19th are
// dropped, which takes away nothing that a nanosecond or an int64 could show.
type number struct {
	mantissa uint64
	digits   int // of the mantissa, or more where they were dropped (see dropExcess)
	exponent int
	negative bool
	plain    bool // digits and nothing else
	inexact  bool // a dropped digit was not 0
}

// add appends a digit to the mantissa.
func (n *number) add(digit byte) {
	if n.digits >= maxDigits {
		n.inexact = n.inexact || digit != '0'
		n.digits++
		return
	}
	n.mantissa = n.mantissa*10 + uint64(digit-'0')
	if n.mantissa != 0 {
		n.digits++
	}
}

// dropExcess moves digits that no longer fitted into the exponent.
func (n *number) dropExcess() {
	if n.digits > maxDigits {
		n.exponent += n.digits - maxDigits
		n.digits = maxDigits
	}
}

// number validates the number at pos, and gives the place after it.
func (d *Decoder) number(pos int) (n number, end int, ok bool) {
	frame := d.frame
	n.plain = true
	if frame[pos] == '-' {
		n.negative, n.plain = true, false
		pos++
	}
	start := pos
	for most := min(len(frame), start+maxDigits); pos < most && isDigit(frame[pos]); pos++ {
		n.mantissa = n.mantissa*10 + uint64(frame[pos]-'0')
	}
	if n.mantissa != 0 {
		n.digits = pos - start
	}
	for pos < len(frame) && isDigit(frame[pos]) {
		n.add(frame[pos])
		pos++
	}
	switch {
	case pos == start:
		return n, pos, d.syntax(pos, "a number needs a digit here")
	case frame[start] == '0' && pos > start+1:
		return n, start, d.syntax(start, "a number must not begin with 0")
	case pos < len(frame) && (frame[pos] == '.' || frame[pos]|0x20 == 'e'):
		n.plain = false
		if pos, ok = d.fraction(&n, pos); !ok {
			return n, pos, false
		}
	}
	n.dropExcess()
	return n, pos, true
}

// fraction goes on with a number at its point or exponent.
func (d *Decoder) fraction(n *number, pos int) (end int, ok bool) {
	frame := d.frame
	if frame[pos] == '.' {
		pos++
		start := pos
		for pos < len(frame) && isDigit(frame[pos]) {
			n.add(frame[pos])
			pos++
		}
		if pos == start {
			return pos, d.syntax(pos, "a number needs a digit here")
		}
		n.exponent = start - pos
	}
	if pos >= len(frame) || frame[pos]|0x20 != 'e' {
		return pos, true
	}
	pos++
	negative := false
	if pos < len(frame) && (frame[pos] == '+' || frame[pos] == '-') {
		negative = frame[pos] == '-'
		pos++
	}
	start, exponent := pos, 0
	for pos < len(frame) && isDigit(frame[pos]) {
		if exponent < 1e12 { // more than any frame has digits, so none of them matters
			exponent = exponent*10 + int(frame[pos]-'0')
		}
		pos++
	}
	if pos == start {
		return pos, d.syntax(pos, "a number needs a digit here")
	}
	if negative {
		exponent = -exponent
	}
	n.exponent += exponent
	return pos, true
}

// whole gives the number if it is a whole one that is not negative, however it is
// written: 512, 512.0 and 5.12e2 are the same.
func (n number) whole() (int64, bool) {
	if n.mantissa == 0 {
		return 0, true
	}
	if n.negative || n.inexact {
		return 0, false
	}
	mantissa, exponent := n.mantissa, n.exponent
	for ; exponent < 0; exponent++ {
		if mantissa%10 != 0 {
			return 0, false
		}
		mantissa /= 10
	}
	if exponent > maxDigits {
		return 0, false
	}
	high, low := bits.Mul64(mantissa, powers[exponent])
	return int64(low), high == 0 && low <= math.MaxInt64
}

// literal validates a word at pos, and gives the place after it.
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
		_, end, ok = d.number(pos)
		return end, ok
	case c == 't':
		return d.literal(pos, "true")
	case c == 'f':
		return d.literal(pos, "false")
	case c == 'n':
		return d.literal(pos, "null")
	}
	return pos, d.syntax(pos, "a value belongs here")
}

// skip validates the value at pos, which stands in depth others, and gives the
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
			d.fault(wsevent.ViolationTooDeep, "nested deeper than "+strconv.Itoa(maxDepth)+" levels")
			return pos, d.syntax(pos, "")
		default:
			objects = objects << 1
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
		// A value has ended here, and perhaps what it stands in.
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

// skipKey validates the key at pos and its colon, and gives the place of the value.
func (d *Decoder) skipKey(pos int) (end int, ok bool) {
	if pos >= len(d.frame) || d.frame[pos] != '"' {
		return pos, d.syntax(pos, "a key belongs here")
	}
	if pos, _, ok = d.skipString(pos); !ok {
		return pos, false
	}
	return d.colon(pos)
}

// colon gives the place of the value after it.
func (d *Decoder) colon(pos int) (end int, ok bool) {
	pos = skipSpace(d.frame, pos)
	if pos >= len(d.frame) || d.frame[pos] != ':' {
		return pos, d.syntax(pos, "a colon belongs here")
	}
	return skipSpace(d.frame, pos+1), true
}
