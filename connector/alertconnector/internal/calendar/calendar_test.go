// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package calendar

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// covers asks for the window of ten seconds that ends at a time.
func covers(t testing.TB, r Range, end string) bool {
	t.Helper()
	moment := at(t, end).UnixMilli()
	return New(r).Covers(moment-10_000, moment)
}

func TestOnce(t *testing.T) {
	t.Parallel()
	r := Once{Start: at(t, "2026-11-27T00:00:00Z"), End: at(t, "2026-11-28T00:00:00Z")}
	for end, want := range map[string]bool{
		"2026-11-27T00:00:00Z": false, // [start, end) ends where the range begins
		"2026-11-27T00:00:01Z": true,
		"2026-11-28T00:00:09Z": true,
		"2026-11-28T00:00:10Z": false,
	} {
		assert.Equal(t, want, covers(t, r, end), end)
	}
	assert.True(t, New(r).Covers(r.Start.UnixMilli(), r.Start.UnixMilli()), "of a moment, its own")
	assert.False(t, New(r).Covers(r.End.UnixMilli(), r.End.UnixMilli()))
	var none *Calendar
	assert.False(t, none.Covers(0, 1))
}

func TestCron(t *testing.T) {
	t.Parallel()
	r, err := NewCron("0 18 * * MON", zone(t, "Europe/Berlin"), 2*time.Hour)
	require.NoError(t, err)
	for end, want := range map[string]bool{
		"2026-07-06T16:00:00Z": false, // 18:00 in summer
		"2026-07-06T16:00:01Z": true,
		"2026-07-06T18:00:09Z": true,
		"2026-07-06T18:00:10Z": false,
		"2026-07-07T17:00:00Z": false, // a Tuesday
		"2026-12-07T16:30:00Z": false, // 17:30 in winter
		"2026-12-07T17:30:00Z": true,
	} {
		assert.Equal(t, want, covers(t, r, end), end)
	}
	for expression, want := range map[string]string{
		"@every 5m":             "@every has no fixed times",
		"CRON_TZ=Europe/Berlin": "in the key timezone",
		"TZ=UTC 0 0 * * *":      "in the key timezone",
		"0 0 30 2 *":            "no time that exists",
		"61 * * * *":            "61",
		"":                      "",
		"0 0 * *":               "",
	} {
		_, err := NewCron(expression, time.UTC, time.Hour)
		require.ErrorContains(t, err, want, expression)
	}
}

var moment = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

const campaigns = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:once
SUMMARY:Launch
DTSTART:20261127T090000Z
DTEND:20261127T120000Z
END:VEVENT
BEGIN:VEVENT
UID:floating
DTSTART:20261128T090000
DURATION:PT90M
END:VEVENT
BEGIN:VEVENT
UID:day
DTSTART;VALUE=DATE:20261225
END:VEVENT
BEGIN:VEVENT
UID:weekly
DTSTART;TZID=Europe/Berlin:20260302T180000
DTEND;TZID=Europe/Berlin:20260302T200000
RRULE:FREQ=WEEKLY;BYDAY=MO
EXDATE;TZID=Europe/Berlin:20260713T180000
END:VEVENT
BEGIN:VEVENT
UID:weekly
RECURRENCE-ID;TZID=Europe/Berlin:20260720T180000
DTSTART;TZID=Europe/Berlin:20260721T180000
DTEND;TZID=Europe/Berlin:20260721T190000
END:VEVENT
BEGIN:VEVENT
UID:off
STATUS:CANCELLED
DTSTART:20260101T000000Z
DTEND:20260102T000000Z
END:VEVENT
END:VCALENDAR
`

func TestEvents(t *testing.T) {
	t.Parallel()
	events, err := ParseEvents(strings.NewReader(campaigns), zone(t, "America/New_York"), at(t, "2026-11-25T00:00:00Z"))
	require.NoError(t, err)
	for end, want := range map[string]bool{
		"2026-11-27T09:00:01Z": true,
		"2026-11-27T12:00:10Z": false,
		"2026-11-28T14:30:00Z": true, // 9:30 in New York
		"2026-11-28T09:30:00Z": false,
		"2026-11-28T15:30:11Z": false,
		"2026-12-25T05:00:01Z": true, // all of the day there
		"2026-12-26T04:59:00Z": true,
		"2026-12-26T05:00:10Z": false,
		"2026-07-06T16:30:00Z": true, // every Monday, summer
		"2026-12-07T17:30:00Z": true, // and winter
		"2026-12-07T16:30:00Z": false,
		"2026-07-13T16:30:00Z": false, // but not that one
		"2026-07-20T16:30:00Z": false, // this one was moved
		"2026-07-21T16:30:00Z": true,
		"2026-01-01T12:00:00Z": false, // cancelled
	} {
		assert.Equal(t, want, covers(t, events, end), end)
	}
}

func TestEvents_Invalid(t *testing.T) {
	t.Parallel()
	event := func(lines string) string {
		return "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:x\nSUMMARY:Sale\n" + lines + "\nEND:VEVENT\nEND:VCALENDAR\n"
	}
	for text, want := range map[string]string{
		event("DTEND:20261127T090000Z"):                                                      `event "Sale": DTSTART: missing`,
		event("DTSTART:27 November"):                                                         "DTSTART: \"27 November\" is not a time",
		event("DTSTART:20261127T090000Z\nDTEND:20261127T080000Z"):                            "does not end after it begins",
		event("DTSTART;TZID=Mars/Olympus:20261127T090000\nDURATION:PT1H"):                    "TZID \"Mars/Olympus\"",
		event("DTSTART:20261127T090000Z\nDURATION:an hour"):                                  "DURATION: \"an hour\" is not a duration",
		event("DTSTART:20261127T090000Z\nDURATION:PT1H\nRRULE:FREQ=MINUTELY"):                "at most HOURLY",
		event("DTSTART:20261127T090000Z\nDURATION:PT1H\nRRULE:FREQ=SOMETIMES"):               "RRULE",
		event("DTSTART:20261127T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEXDATE:yesterday"): "EXDATE",
		event("DTSTART:19700101T000000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY"):                  "recurs more than 100000 times since its DTSTART",
		"what is this":                   `line 1: "what is this": must be BEGIN:VCALENDAR`,
		"":                               "is empty",
		"\ufeff\r\n \n":                  `line 2: " "`,
		"BEGIN:VCALENDAR\nVERSION:2.0\n": `line 2: "VERSION:2.0": the file ends without END:VCALENDAR`,
		"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:x\nSUMMARY:a": `line 5: "SUMMARY:a": ran out of lines`,
		"BEGIN:VCALENDAR\nEND:VCALENDAR\nX-A:b\nEND:VCALENDAR\n":       `line 3: "X-A:b": malformed calendar; unexpected end`,
		"BEGIN:VCALENDAR\nhello\nEND:VCALENDAR\n":                      `line 2: "hello": is not a property (NAME:value)`,
	} {
		_, err := ParseEvents(strings.NewReader(text), time.UTC, moment)
		require.ErrorContains(t, err, want, text)
	}
}

// Folded and empty lines count, and so do other properties of the same name.
func TestParseEvents_ErrorNamesTheLine(t *testing.T) {
	t.Parallel()
	const head = "\ufeffBEGIN:VCALENDAR\r\nVERSION:2.0\r\n\r\nBEGIN:VEVENT\r\nUID:good\r\nDTSTART:20261127T090000Z\r\nDURATION:PT1H\r\n" +
		"SUMMARY:a long\r\n  one\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:bad\r\n"
	const tail = "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:last\r\nDTSTART:2027\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for lines, want := range map[string]string{
		"DTSTART:2026-12-01\r\nDTEND:20261202\r\n":                             `line 13: event "bad": DTSTART: "2026-12-01" is not a time`,
		"DTSTART:20261201\r\nDESCRIPTION:a\r\n b\r\n\tc\r\nDTEND:tomorrow\r\n": `line 17: event "bad": DTEND`,
		"DTEND:20261202\r\n": `line 11: event "bad": DTSTART: missing`,
		"DTSTART:20261201\r\nRRULE:FREQ=DAILY\r\nEXDATE:20261203\r\nEXDATE:20261204,never\r\n":          `line 16: event "bad": EXDATE: "never" is not a time`,
		"DTSTART:20261201\r\nBEGIN:VALARM\r\nDURATION:PT1M\r\nEND:VALARM\r\nDURATION:long\r\n":          `line 17: event "bad": DURATION: "long" is not a duration`,
		"DTSTART:20261201\r\n here\r\nno property\r\n":                                                  `line 15: "no property": is not a property (NAME:value)`,
		"DTSTART:20261201\r\nDESCRIPTION:" + strings.Repeat("long ", 2_000) + "\r\nno\r\n property\r\n": `line 15: "noproperty": is not a property (NAME:value)`,
		"DTSTART:20261201\r\n" + strings.Repeat("no property ", 1_000) + "\r\n":                         `line 14: "no property no property no property no property no property "…: is not a property`,
		"dtstart;VALUE=DATE:20261201\r\nrrule:FREQ=SOMETIMES\r\n":                                       `event "bad": `,
	} {
		_, err := ParseEvents(strings.NewReader(head+lines+tail), time.UTC, moment)
		require.ErrorContains(t, err, want, lines)
	}
}

// A calendar remembers its answer, but not past a change.
func TestSet(t *testing.T) {
	t.Parallel()
	c := New(&Events{})
	assert.False(t, c.Covers(10, 20))
	c.Set(0, Once{Start: time.UnixMilli(0), End: time.UnixMilli(100)})
	assert.True(t, c.Covers(10, 20))
}

// Whatever a file holds, it is read or refused.
func FuzzEvents(f *testing.F) {
	f.Add(campaigns)
	f.Add("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261127\nRRULE:FREQ=YEARLY;COUNT=3\nEND:VEVENT\nEND:VCALENDAR")
	f.Fuzz(func(_ *testing.T, text string) {
		if strings.Contains(text, "BY") {
			return // no time that exists is looked for until the year 9999, which takes long
		}
		if events, err := ParseEvents(strings.NewReader(text), time.UTC, moment); err == nil {
			events.Covers(moment, moment.Add(time.Second))
		}
	})
}

func BenchmarkCovers(b *testing.B) {
	events, err := ParseEvents(strings.NewReader(campaigns), time.UTC, moment)
	require.NoError(b, err)
	cron, err := NewCron("0 18 * * MON", time.UTC, 2*time.Hour)
	require.NoError(b, err)
	c := New(events, cron)
	b.ReportAllocs()
	end := moment.UnixMilli()
	for b.Loop() {
		end += 9_000
		for range 2_000 { // the series of a window
			c.Covers(end-10_000, end)
		}
	}
}
