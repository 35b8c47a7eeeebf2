// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package calendar

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

// Events are the events of an iCalendar file (RFC 5545). Recurring ones are expanded for
// some time around the latest query.
type Events struct {
	once     []Once
	series   []recurring
	from, to time.Time // for which expanded holds
	expanded []Once
}

// recurring is an event with a rule.
type recurring struct {
	starts   *rrule.Set
	duration time.Duration
}

// The time that is expanded around a query.
const (
	before = 24 * time.Hour
	ahead  = 30 * 24 * time.Hour
)

// maxStarts bounds how often an event recurs from its DTSTART on: its instances are
// iterated one by one.
const maxStarts = 100_000

// ParseEvents parses an iCalendar file, to be queried about the time around now. Times
// without a zone are in the given zone. An error names the line and the event.
func ParseEvents(file io.Reader, zone *time.Location, now time.Time) (*Events, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	lines := unfold(string(text))
	parsed, err := parseLines(lines)
	if err != nil {
		return nil, err
	}
	all := parsed.Events()
	events := &Events{}
	for i, event := range all {
		if err := events.add(event, all, zone, now); err != nil {
			return nil, fmt.Errorf("line %d: event %q: %w", locate(lines, i, err), name(event), err)
		}
	}
	return events, nil
}

func name(event *ics.VEvent) string {
	if summary := event.GetProperty(ics.ComponentPropertySummary); summary != nil {
		return summary.Value
	}
	return event.Id()
}

func (e *Events) add(event *ics.VEvent, all []*ics.VEvent, zone *time.Location, now time.Time) error {
	if status := event.GetProperty(ics.ComponentPropertyStatus); status != nil && status.Value == string(ics.ObjectStatusCancelled) {
		return nil
	}
	start, duration, err := span(event, zone)
	if err != nil {
		return err
	}
	if !event.HasProperty(ics.ComponentPropertyRrule) && !event.HasProperty(ics.ComponentPropertyRdate) {
		e.once = append(e.once, Once{Start: start, End: start.Add(duration)})
		return nil
	}
	starts, err := starts(event, start)
	if err != nil {
		return err
	}
	for _, other := range all { // an instance that was moved is an event of its own
		if moved := other.GetProperty(ics.ComponentPropertyRecurrenceId); moved != nil && other.Id() == event.Id() {
			at, err := instant(moved, start.Location())
			if err != nil {
				return &propertyError{name: "RECURRENCE-ID", value: moved.Value, err: err}
			}
			starts.ExDate(at)
		}
	}
	r := recurring{starts: starts, duration: duration}
	if !r.expand(now, now.Add(ahead), func(Once) {}) {
		return fmt.Errorf("recurs more than %d times since its DTSTART; let it begin later", maxStarts)
	}
	e.series = append(e.series, r)
	return nil
}

// span returns the start of an event and its duration: up to DTEND, for DURATION, or, of a
// date alone, for the day.
func span(event *ics.VEvent, zone *time.Location) (time.Time, time.Duration, error) {
	begin := event.GetProperty(ics.ComponentPropertyDtStart)
	if begin == nil {
		return time.Time{}, 0, errors.New("DTSTART: missing")
	}
	start, err := instant(begin, zone)
	if err != nil {
		return time.Time{}, 0, &propertyError{name: "DTSTART", value: begin.Value, err: err}
	}
	end := start
	if property := event.GetProperty(ics.ComponentPropertyDtEnd); property != nil {
		if end, err = instant(property, zone); err != nil {
			return time.Time{}, 0, &propertyError{name: "DTEND", value: property.Value, err: err}
		}
	} else if property := event.GetProperty(ics.ComponentPropertyDuration); property != nil {
		duration, err := parseDuration(property.Value)
		if err != nil {
			return time.Time{}, 0, err
		}
		end = start.Add(duration)
	} else if len(begin.Value) == len("20060102") {
		end = start.AddDate(0, 0, 1)
	}
	if !end.After(start) {
		return time.Time{}, 0, errors.New("does not end after it begins")
	}
	return start, end.Sub(start), nil
}

// instant reads a DATE-TIME or a DATE.
func instant(property *ics.IANAProperty, zone *time.Location) (time.Time, error) {
	if ids := property.ICalParameters["TZID"]; len(ids) == 1 {
		named, err := time.LoadLocation(ids[0])
		if err != nil {
			return time.Time{}, fmt.Errorf("TZID %q: %w", ids[0], err)
		}
		zone = named
	}
	for _, layout := range []string{"20060102T150405Z", "20060102T150405", "20060102"} {
		if strings.HasSuffix(layout, "Z") {
			if at, err := time.Parse(layout, property.Value); err == nil {
				return at, nil
			}
		} else if at, err := time.ParseInLocation(layout, property.Value, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", property.Value)
}

// starts returns the starts of a recurring event.
func starts(event *ics.VEvent, start time.Time) (*rrule.Set, error) {
	set := &rrule.Set{}
	set.DTStart(start)
	rules := event.GetProperties(ics.ComponentPropertyRrule)
	if len(rules) > 1 {
		return nil, &propertyError{name: "RRULE", value: rules[1].Value, err: errors.New("more than one")}
	}
	for _, property := range rules {
		option, err := rrule.StrToROptionInLocation(property.Value, start.Location())
		if err != nil {
			return nil, &propertyError{name: "RRULE", value: property.Value, err: err}
		}
		if option.Freq > rrule.HOURLY {
			return nil, &propertyError{name: "RRULE", value: property.Value, err: fmt.Errorf("%s: at most HOURLY", option.Freq)}
		}
		option.Dtstart = start
		rule, err := rrule.NewRRule(*option)
		if err != nil {
			return nil, &propertyError{name: "RRULE", value: property.Value, err: err}
		}
		set.RRule(rule)
	}
	for _, list := range []struct {
		property ics.ComponentProperty
		add      func(time.Time)
	}{{ics.ComponentPropertyExdate, set.ExDate}, {ics.ComponentPropertyRdate, set.RDate}} {
		for _, property := range event.GetProperties(list.property) {
			for value := range strings.SplitSeq(property.Value, ",") {
				one := *property
				one.Value = value
				at, err := instant(&one, start.Location())
				if err != nil {
					return nil, &propertyError{name: string(list.property), value: property.Value, err: err}
				}
				list.add(at)
			}
		}
	}
	return set, nil
}

// Covers implements Range.
func (e *Events) Covers(start, end time.Time) bool {
	if start.Before(e.from) || end.After(e.to) {
		e.expand(start, end)
	}
	covered := func(o Once) bool { return o.Covers(start, end) }
	return slices.ContainsFunc(e.once, covered) || slices.ContainsFunc(e.expanded, covered)
}

func (e *Events) expand(start, end time.Time) {
	e.from, e.to = start.Add(-before), end.Add(ahead)
	e.expanded = e.expanded[:0]
	for i := range e.series {
		e.series[i].expand(e.from, e.to, func(o Once) { e.expanded = append(e.expanded, o) })
	}
}

// expand calls emit for the events that touch [from, to). It returns false if it has
// reached maxStarts.
func (r *recurring) expand(from, to time.Time, emit func(Once)) bool {
	next := r.starts.Iterator()
	for range maxStarts {
		at, ok := next()
		if !ok || at.After(to) {
			return true
		}
		if end := at.Add(r.duration); end.After(from) {
			emit(Once{Start: at, End: end})
		}
	}
	return false
}

// durationForm is RFC 5545's: P1W, P1DT2H, PT90M.
var durationForm = regexp.MustCompile(`^\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?$`)

func parseDuration(text string) (time.Duration, error) {
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, &propertyError{name: "DURATION", value: text, err: fmt.Errorf("%q is not a duration", text)}
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(parts[i+1]) // digits or nothing
		total += time.Duration(n) * unit
	}
	return total, nil
}
