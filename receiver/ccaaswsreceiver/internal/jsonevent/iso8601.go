// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"strings"
	"time"
)

// longestISO8601 is more than any date and time that is read.
const longestISO8601 = 64

// parseISO8601 reads the forms of a date and time that are too rare to be read by
// hand, with package time. A time without a zone is in location; nil: UTC.
func parseISO8601(text []byte, location *time.Location) (int64, error) {
	if len(text) > longestISO8601 {
		return 0, errNoTimestamp
	}
	date, clock, ok := splitDate(strings.ToUpper(string(bytes.TrimSpace(text))))
	if !ok {
		return 0, errNoTimestamp
	}
	clock, zone := splitZone(clock)
	layout, ok := clockLayout(clock)
	if !ok {
		return 0, errNoTimestamp
	}
	clock, days, seconds := pastMidnight(clock)

	if location == nil {
		location = time.UTC
	}
	at, err := time.ParseInLocation(layout, date+"T"+clock, location)
	if err == nil && zone != "" {
		offset, ok := parseZone([]byte(zone))
		if !ok {
			return 0, errNoTimestamp
		}
		at, err = time.ParseInLocation(layout, date+"T"+clock, time.UTC)
		at = at.Add(-time.Duration(offset) * time.Second)
	}
	if err != nil {
		return 0, errNoTimestamp
	}
	return within(at.AddDate(0, 0, days).Add(seconds))
}

// splitDate cuts the date off, and returns it in the extended format.
func splitDate(text string) (date, clock string, ok bool) {
	const extended, basic = len("2006-01-02"), len("20060102")
	switch {
	case len(text) > extended && text[4] == '-' && text[7] == '-':
		date, clock = text[:extended], text[extended:]
	case len(text) > basic && strings.Trim(text[:basic], "0123456789") == "":
		date, clock = text[:4]+"-"+text[4:6]+"-"+text[6:basic], text[basic:]
	default:
		return "", "", false
	}
	if clock[0] != 'T' && clock[0] != ' ' {
		return "", "", false
	}
	return date, clock[1:], true
}

// splitZone cuts the zone off; empty: there is none.
func splitZone(text string) (clock, zone string) {
	for _, name := range []string{"UTC", "GMT"} {
		if before, found := strings.CutSuffix(text, name); found {
			text = before + "Z"
		}
	}
	at := strings.IndexAny(text, "Z+-")
	if at < 0 {
		return text, ""
	}
	return strings.TrimSuffix(text[:at], " "), text[at:]
}

// clockLayout is the layout of package time for a time of day. A fraction is read
// after the seconds without standing in the layout.
func clockLayout(clock string) (layout string, ok bool) {
	digits := strings.IndexAny(clock, ".,")
	if digits < 0 {
		digits = len(clock)
	}
	for _, layout := range []string{"15:04:05", "15:04", "150405", "1504"} {
		if len(layout) == digits && (digits == len(clock) || strings.HasSuffix(layout, "05")) {
			return "2006-01-02T" + layout, true
		}
	}
	return "", false
}

// pastMidnight replaces what package time refuses: 24:00:00 by the midnight it is,
// and a leap second by the second before it, with what is to be added.
func pastMidnight(clock string) (replaced string, days int, add time.Duration) {
	if strings.HasPrefix(clock, "24") {
		if strings.Trim(clock[2:], "0:.,") == "" {
			return "00" + clock[2:], 1, 0
		}
		return clock, 0, 0
	}
	for _, second := range []struct{ at, length int }{{len("15:04:"), len("15:04:05")}, {len("1504"), len("150405")}} {
		if len(clock) >= second.length && clock[second.at:second.length] == "60" && strings.Contains(clock[:second.length], ":") == (second.length == len("15:04:05")) {
			return clock[:second.at] + "59" + clock[second.length:], 0, time.Second
		}
	}
	return clock, 0, 0
}

// within refuses times that unix nanoseconds do not hold.
func within(at time.Time) (int64, error) {
	switch {
	case !at.After(time.Unix(0, 0)):
		return 0, errNotAfter1970
	case at.After(time.Unix(0, 1<<63-1)):
		return 0, errPast2262
	}
	return at.UnixNano(), nil
}
