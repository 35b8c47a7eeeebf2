// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package calendar

import (
	"errors"
	"fmt"
	"io"
	"strings"

	ics "github.com/arran4/golang-ical"
)

// line is a content line of an iCalendar file (RFC 5545, section 3.1), unfolded.
type line struct {
	number int // where it begins in the file, from 1
	text   string
}

// unfold splits a file into its content lines. Empty ones are left out.
func unfold(file string) []line {
	var lines []line
	number := 0
	for text := range strings.Lines(strings.TrimPrefix(file, "\ufeff")) {
		number++
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		switch {
		case text == "":
		case len(lines) > 0 && (text[0] == ' ' || text[0] == '\t'):
			lines[len(lines)-1].text += text[1:]
		default:
			lines = append(lines, line{number: number, text: text})
		}
	}
	return lines
}

const (
	beginCalendar = "BEGIN:VCALENDAR"
	endCalendar   = "END:VCALENDAR"
	beginEvent    = "BEGIN:VEVENT"
)

// parseLines parses content lines. Its errors name the line.
func parseLines(lines []line) (*ics.Calendar, error) {
	if len(lines) == 0 {
		return nil, errors.New("is empty; an iCalendar file begins with " + beginCalendar)
	}
	if first := lines[0]; !first.is(beginCalendar) {
		return nil, fmt.Errorf("line %d: %s: must be %s; is it an iCalendar file?", first.number, first.quote(), beginCalendar)
	}
	reader := &lineReader{lines: lines}
	parsed, err := ics.ParseCalendar(reader)
	if err != nil {
		at := reader.current()
		return nil, fmt.Errorf("line %d: %s: %s", at.number, at.quote(), cause(err))
	}
	if last := lines[len(lines)-1]; !last.is(endCalendar) { // the parser accepts it
		return nil, fmt.Errorf("line %d: %s: the file ends without %s; was it written in full?", last.number, last.quote(), endCalendar)
	}
	return parsed, nil
}

// cause is an error of the parser without its own count of lines, which leaves out
// folded and nested ones.
func cause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	if text := err.Error(); !strings.HasPrefix(text, "parsing ") {
		return text
	}
	return "is not a property (NAME:value)"
}

func (l line) is(text string) bool { return strings.EqualFold(strings.TrimSpace(l.text), text) }

// quote is the beginning of the line in quotation marks.
func (l line) quote() string {
	const most = 60
	if len(l.text) > most {
		return fmt.Sprintf("%q…", l.text[:most])
	}
	return fmt.Sprintf("%q", l.text)
}

// lineReader returns one line from each Read, so that the line that the parser is at is
// known: it reads one ahead, in search of a folded line.
type lineReader struct {
	lines []line
	begun int    // lines of which something was read
	rest  string // of the latest
	ended bool
}

// Read implements io.Reader.
func (r *lineReader) Read(to []byte) (int, error) {
	if r.rest == "" {
		if r.begun == len(r.lines) {
			r.ended = true
			return 0, io.EOF
		}
		r.rest = r.lines[r.begun].text + "\n"
		r.begun++
	}
	n := copy(to, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// current is the line that the parser is at.
func (r *lineReader) current() line {
	if r.ended {
		return r.lines[r.begun-1]
	}
	return r.lines[max(0, r.begun-2)]
}

// propertyError is an error of a property of an event.
type propertyError struct {
	name, value string
	err         error
}

// Error implements error.
func (e *propertyError) Error() string { return e.name + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *propertyError) Unwrap() error { return e.err }

// locate returns the number of the line on which the event with an index has the property
// of err, else of that on which the event begins.
func locate(lines []line, index int, err error) int {
	property, _ := errors.AsType[*propertyError](err)
	found, exact := 0, false
	events, depth := -1, 0
	for _, l := range lines {
		name, rest, _ := strings.Cut(l.text, ":")
		name, _, _ = strings.Cut(name, ";")
		switch {
		case l.is(beginEvent):
			events++
			depth = 1
			if events == index {
				found = l.number
			}
		case strings.EqualFold(name, "BEGIN"):
			depth++
		case strings.EqualFold(name, "END"):
			depth--
		case events == index && depth == 1 && property != nil && !exact && strings.EqualFold(name, property.name):
			found, exact = l.number, strings.HasSuffix(rest, property.value)
		}
	}
	return found
}
