// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"math"
	"math/bits"
)

func isDigit(c byte) bool { return c-'0' <= 9 }

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
// dropped: they are below the precision of a nanosecond and of an int64.
type number struct {
	mantissa   uint64
	digits     int // of the mantissa, or more where they were dropped (see dropExcess)
	exponent   int
	negative   bool
	inexact    bool // a dropped digit was not 0
	fractional bool // has a point or an exponent
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

// number validates the number at pos, and returns the place after it.
func (d *Decoder) number(n *number, pos int) (end int, ok bool) {
	frame := d.frame
	if frame[pos] == '-' {
		n.negative = true
		pos++
	}
	start, mantissa := pos, uint64(0)
	for most := min(len(frame), start+maxDigits); pos < most && isDigit(frame[pos]); pos++ {
		mantissa = mantissa*10 + uint64(frame[pos]-'0')
	}
	if n.mantissa = mantissa; mantissa != 0 {
		n.digits = pos - start
	}
	for ; pos < len(frame) && isDigit(frame[pos]); pos++ {
		n.add(frame[pos])
	}
	switch {
	case pos == start:
		return pos, d.syntax(pos, "a number needs a digit here")
	case frame[start] == '0' && pos > start+1:
		return start, d.syntax(start, "a number must not begin with 0")
	case pos < len(frame) && (frame[pos] == '.' || frame[pos]|0x20 == 'e'):
		n.fractional = true
		if pos, ok = d.fraction(n, pos); !ok {
			return pos, false
		}
	}
	n.dropExcess()
	return pos, true
}

// fraction continues a number at its point or exponent.
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

// integer returns the number if it is a non-negative integer in any notation: 512, 512.0
// and 5.12e2 are equal.
func (n *number) integer() (int64, bool) {
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

// parseNumber parses the text of a number, which may have leading zeros.
func parseNumber(text []byte) (n number, ok bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	for len(text) > 1 && text[0] == '0' && isDigit(text[1]) {
		text = text[1:]
	}
	if len(text) == 0 || !isDigit(text[0]) {
		return number{}, false
	}
	d := Decoder{frame: text}
	end, ok := d.number(&n, 0)
	n.negative = negative
	return n, ok && end == len(text)
}

// ParseInteger parses the text of a non-negative integer in any notation: 512, 512.0 and
// 5.12e2 are equal.
func ParseInteger(text []byte) (int64, bool) {
	n, ok := parseNumber(text)
	if !ok {
		return 0, false
	}
	return n.integer()
}
