// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Errors of ParseTimestamp.
var (
	errNoTimestamp  = errors.New("is neither ISO 8601 nor an epoch")
	errNotAfter1970 = errors.New("is not after 1970-01-01T00:00:00Z")
	errPast2262     = errors.New("is past the year 2262")
)

// ParseTimestamp is ParseTimestampIn with UTC.
func ParseTimestamp(text []byte) (int64, error) { return ParseTimestampIn(text, time.UTC) }

// ParseTimestampIn returns a time in unix nanoseconds. It reads
//
//   - a date and a time of ISO 8601, extended (2026-04-01T12:00:00.5+02:00) or basic
//     (20260401T120000Z), with a lower-case t and z, a space in place of the T, a
//     comma before the fraction, without seconds, and with the offsets +07:00, +0700
//     and +07; without a zone it is in location (nil: UTC);
//   - an epoch in s, ms, µs or ns, with decimals or without (see epoch).
//
// 24:00:00 is the next day's midnight, and a leap second (:60) the second after it.
// Digits past the ninth of a fraction are below a nanosecond and are dropped. A date
// alone, a week date and an ordinal date are refused. So is the epoch itself: it is what a
// device without a clock sends, and a record's time of 0 means that there is none.
func ParseTimestampIn(text []byte, location *time.Location) (int64, error) {
	if len(text) > 4 && text[4] == '-' {
		if at, ok := parseRFC3339(text); ok {
			return within(at)
		}
		return parseISO8601(text, location)
	}
	var n number
	for _, c := range text {
		if !isDigit(c) {
			return parseOther(text, location)
		}
		n.add(c)
	}
	if len(text) == 0 {
		return 0, errNoTimestamp
	}
	n.dropExcess()
	return n.epoch()
}

// parseOther reads a decimal epoch, or a date and time in basic format.
func parseOther(text []byte, location *time.Location) (int64, error) {
	text = bytes.TrimSpace(text)
	if n, ok := parseNumber(text); ok {
		return n.epoch()
	}
	if integer, fraction, found := bytes.Cut(text, []byte{','}); found {
		if n, ok := parseNumber(slices.Concat(integer, []byte{'.'}, fraction)); ok {
			return n.epoch()
		}
	}
	return parseISO8601(text, location)
}

// epoch interprets a number as a time. The number of digits before the decimal point
// selects the unit, unambiguously from 1973 to 5138:
//
//	below 1e11  seconds
//	below 1e14  milliseconds
//	below 1e17  microseconds
//	above       nanoseconds
//
// The decimal point is moved, without rounding through a float.
func (n *number) epoch() (int64, error) {
	if n.mantissa == 0 || n.negative {
		return 0, errNotAfter1970
	}
	exponent := n.exponent
	switch digits := n.digits + exponent; {
	case digits <= 11:
		exponent += 9
	case digits <= 14:
		exponent += 6
	case digits <= 17:
		exponent += 3
	case digits > 19:
		return 0, errPast2262
	}
	if exponent <= 0 {
		if exponent < -maxDigits {
			return 0, errNotAfter1970
		}
		return nanoseconds(0, n.mantissa/powers[-exponent])
	}
	return nanoseconds(bits.Mul64(n.mantissa, powers[exponent]))
}

// nanoseconds narrows a product of 128 bits.
func nanoseconds(high, low uint64) (int64, error) {
	if high == 0 && low == 0 {
		return 0, errNotAfter1970
	}
	if high != 0 || low > math.MaxInt64 {
		return 0, errPast2262
	}
	return int64(low), nil
}

// parseRFC3339 parses the form that most platforms send. Package time accepts offsets that
// do not exist, such as +24:60.
func parseRFC3339(text []byte) (at time.Time, ok bool) {
	const offset = len("+07:00")
	if at.UnmarshalText(text) != nil {
		return at, false
	}
	if text[len(text)-1] == 'Z' {
		return at, true
	}
	_, ok = parseZone(text[len(text)-offset:])
	return at, ok
}

// parseZone reads Z, ±07:00, ±0700 or ±07, in seconds east of UTC.
func parseZone(zone []byte) (offset int64, ok bool) {
	var hours, minutes int64
	switch {
	case len(zone) == 1:
		return 0, zone[0]|0x20 == 'z'
	case len(zone) == len("+07:00") && zone[3] == ':':
		hours, minutes = twoDigits(zone, 1), twoDigits(zone, 4)
	case len(zone) == len("+0700"):
		hours, minutes = twoDigits(zone, 1), twoDigits(zone, 3)
	case len(zone) == len("+07"):
		hours = twoDigits(zone, 1)
	default:
		return 0, false
	}
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	offset = hours*3_600 + minutes*60
	switch zone[0] {
	case '+':
		return offset, true
	case '-':
		return -offset, true
	}
	return 0, false
}

// twoDigits reads two digits. Where they are none, the number is larger than any
// part of a time.
func twoDigits(t []byte, at int) int64 {
	tens, ones := t[at]-'0', t[at+1]-'0'
	if tens > 9 || ones > 9 {
		return 10_000
	}
	return int64(tens)*10 + int64(ones)
}
