// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Every byte of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ends marks the bytes of a word that are not simply a part of a string: a quote,
// a backslash, a control character. The lowest mark is right; those above it need
// not be.
func ends(word uint64) uint64 {
	// In a byte below 128, subtracting borrows into the highest bit where the byte
	// is smaller. Flipping bit 1 puts the quote right after the control characters,
	// in the place of the space.
	quoteOrControl := word ^ 0x02*ones - 0x21*ones
	backslash := word ^ '\\'*ones - ones
	return (quoteOrControl | backslash) &^ word & highs
}

// run returns the place of the first byte from pos on that is not simply a part of a
// string. On its way it notes in d.high whether there was anything but ASCII, which
// is validated later.
func (d *Decoder) scanPlain(pos int) int {
	frame, high := d.frame, d.high
	for ; pos+8 <= len(frame); pos += 8 {
		word := binary.LittleEndian.Uint64(frame[pos:])
		high |= word
		if found := ends(word); found != 0 {
			d.high = high
			return pos + bits.TrailingZeros64(found)>>3
		}
	}
	for ; pos < len(frame); pos++ {
		c := frame[pos]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		high |= uint64(c)
	}
	d.high = high
	return pos
}

// skipString validates the string at pos, and returns the place after it.
func (d *Decoder) skipString(pos int) (end int, escaped, ok bool) {
	frame := d.frame
	pos++
	for {
		pos = d.scanPlain(pos)
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

// text returns the string at pos as it reads: without escapes it is a piece of the
// frame, else it is in the decoder's scratch.
func (d *Decoder) text(pos int) (text []byte, end int, ok bool) {
	end, escaped, ok := d.skipString(pos)
	if !ok {
		return nil, end, false
	}
	text = d.frame[pos+1 : end-1 : end-1]
	if escaped {
		from := len(d.scratch)
		d.scratch = AppendUnescaped(d.scratch, text)
		text = d.scratch[from:len(d.scratch):len(d.scratch)]
	}
	return text, end, true
}

// AppendUnescaped appends a validated string without its escapes. A surrogate that
// is not one of a pair becomes U+FFFD, as with encoding/json.
func AppendUnescaped(to, s []byte) []byte {
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
