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
	errNoTimestamp = errors.New("is neither ISO 8601 nor an epoch")
	errBefore1970  = errors.New("is before 1970")
	errPast2262    = errors.New("is past the year 2262")
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
// alone, a week date and an ordinal date are refused.
func ParseTimestampIn(text []byte, location *time.Location) (int64, error) {
	if len(text) > 4 && text[4] == '-' {
		if at, err := parseRFC3339(text); err != errNoTimestamp { //nolint:errorlint // it is never wrapped
			return at, err
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
	if whole, fraction, found := bytes.Cut(text, []byte{','}); found {
		if n, ok := parseNumber(slices.Concat(whole, []byte{'.'}, fraction)); ok {
			return n.epoch()
		}
	}
	return parseISO8601(text, location)
}

// epoch reads a number as a time. How many digits stand before the decimal point
// tells the unit, because all four units have held since 1973 and will until 5138:
//
//	below 1e11  seconds
//	below 1e14  milliseconds
//	below 1e17  microseconds
//	above       nanoseconds
//
// The decimal point is moved, and nothing is ever rounded through a float.
func (n *number) epoch() (int64, error) {
	if n.mantissa == 0 {
		return 0, nil
	}
	if n.negative {
		return 0, errBefore1970
	}
	exponent := n.exponent
	switch whole := n.digits + exponent; {
	case whole <= 11:
		exponent += 9
	case whole <= 14:
		exponent += 6
	case whole <= 17:
		exponent += 3
	case whole > 19:
		return 0, errPast2262
	}
	if exponent <= 0 {
		if exponent < -maxDigits {
			return 0, nil
		}
		return nanoseconds(0, n.mantissa/powers[-exponent])
	}
	return nanoseconds(bits.Mul64(n.mantissa, powers[exponent]))
}

// nanoseconds narrows a product of 128 bits.
func nanoseconds(high, low uint64) (int64, error) {
	if high != 0 || low > math.MaxInt64 {
		return 0, errPast2262
	}
	return int64(low), nil
}

// parseRFC3339 reads what most platforms send: 2006-01-02T15:04:05.999999999Z07:00.
func parseRFC3339(t []byte) (int64, error) {
	const (
		whole        = "2006-01-02T15:04:05"
		lastSecond   = math.MaxInt64 / 1_000_000_000
		lastFraction = math.MaxInt64 % 1_000_000_000
	)
	if len(t) <= len(whole) || t[4] != '-' || t[7] != '-' || t[13] != ':' || t[16] != ':' || t[10]|0x20 != 't' && t[10] != ' ' {
		return 0, errNoTimestamp
	}
	year, month, day := twoDigits(t, 0)*100+twoDigits(t, 2), twoDigits(t, 5), twoDigits(t, 8)
	hour, minute, second := twoDigits(t, 11), twoDigits(t, 14), twoDigits(t, 17)
	if year > 9999 || month < 1 || month > 12 || day < 1 || day > daysOf(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, errNoTimestamp
	}
	fraction, at := parseFraction(t, len(whole))
	offset, ok := parseZone(t[at:])
	if !ok {
		return 0, errNoTimestamp
	}
	seconds := daysSince1970(year, month, day)*86_400 + hour*3_600 + minute*60 + second - offset
	switch {
	case seconds < 0:
		return 0, errBefore1970
	case seconds > lastSecond || seconds == lastSecond && fraction > lastFraction:
		return 0, errPast2262
	}
	return seconds*1e9 + fraction, nil
}

// parseFraction reads .999 as nanoseconds, and says where it ends.
func parseFraction(t []byte, at int) (nanoseconds int64, end int) {
	if at >= len(t) || t[at] != '.' && t[at] != ',' {
		return 0, at
	}
	unit := int64(1e8)
	for end = at + 1; end < len(t) && isDigit(t[end]); end++ {
		nanoseconds += int64(t[end]-'0') * unit
		unit /= 10
	}
	if end == at+1 {
		return 0, at // a point alone, which no zone begins with
	}
	return nanoseconds, end
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

func daysOf(year, month int64) int64 {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// daysSince1970 counts years from March, so that the leap day is a year's last and
// the months before it are 153 days in every five.
func daysSince1970(year, month, day int64) int64 {
	const until1970 = 719_468 // days from 0000-03-01
	month -= 3
	if month < 0 {
		month += 12
		year--
	}
	if year < 0 { // January and February of the year 0
		return -until1970
	}
	return year*365 + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - until1970
}
