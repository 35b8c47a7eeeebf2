// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package calendar provides sets of times: single ones, recurring ones by cron, and the events of
// an iCalendar file.
package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Range is a set of times.
type Range interface {
	// Covers reports whether some of [start, end) is in the set.
	Covers(start, end time.Time) bool
}

// Calendar is a union of ranges. It caches its latest result, since the windows of all
// series end together.
type Calendar struct {
	ranges     []Range
	start, end int64
	cached     bool
}

// New returns a calendar of ranges.
func New(ranges ...Range) *Calendar { return &Calendar{ranges: ranges, start: -1, end: -1} }

// Covers reports whether some of the window [start, end), in unix ms, is in the calendar.
// Of a window without a length, its start counts.
func (c *Calendar) Covers(start, end int64) bool {
	if c == nil || len(c.ranges) == 0 {
		return false
	}
	if start != c.start || end != c.end {
		c.start, c.end = start, end
		c.cached = c.covers(time.UnixMilli(start), time.UnixMilli(max(end, start+1)))
	}
	return c.cached
}

func (c *Calendar) covers(start, end time.Time) bool {
	for _, r := range c.ranges {
		if r.Covers(start, end) {
			return true
		}
	}
	return false
}

// Set replaces the range at a position, as when its file has changed.
func (c *Calendar) Set(position int, r Range) {
	c.ranges[position] = r
	c.start, c.end = -1, -1
}

// Once is a single span of time.
type Once struct{ Start, End time.Time }

// Covers implements Range.
func (o Once) Covers(start, end time.Time) bool { return o.Start.Before(end) && start.Before(o.End) }

// Cron is a span of time from each time of a cron expression on.
type Cron struct {
	schedule *cron.SpecSchedule
	duration time.Duration
}

// NewCron parses a standard cron expression of five fields, or one as @daily, in a time
// zone.
func NewCron(expression string, zone *time.Location, duration time.Duration) (*Cron, error) {
	if strings.Contains(expression, "TZ=") {
		return nil, errors.New("set the time zone in the key timezone")
	}
	schedule, err := cron.ParseStandard(expression)
	if err != nil {
		return nil, err
	}
	at, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("@every has no fixed times; write them out, as */30 * * * *")
	}
	at.Location = zone
	if at.Next(time.Unix(0, 0)).IsZero() {
		return nil, fmt.Errorf("%q has no time that exists", expression)
	}
	return &Cron{schedule: at, duration: duration}, nil
}

// Covers implements Range: a span that begins after start - duration is not over
// at start.
func (c *Cron) Covers(start, end time.Time) bool {
	begins := c.schedule.Next(start.Add(-c.duration))
	return !begins.IsZero() && begins.Before(end)
}
