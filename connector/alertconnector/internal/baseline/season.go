// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import "time"

// Season is how hours are divided into classes: an hour is compared with earlier hours of its
// class. Without one all hours of the lookback count.
type Season int

// Seasons.
const (
	NoSeason   Season = 0
	HourOfDay  Season = 24
	HourOfWeek Season = 7 * 24
)

// Holidays are days that form a season of their own, an hour at a time. What was asked is
// remembered, because all series of a rule ask for the same hours.
type Holidays struct {
	covers func(start, end int64) bool // unix ms
	known  map[int64]bool              // by hour
}

// maxKnown is more hours than any lookback has.
const maxKnown = 24 * 366

// NewHolidays returns holidays from a function that reports whether a time, in unix ms,
// overlaps one.
func NewHolidays(covers func(start, end int64) bool) *Holidays {
	return &Holidays{covers: covers, known: map[int64]bool{}}
}

// Reset forgets what is remembered, as when the calendar has changed. A baseline takes the
// change over with its next hour.
func (h *Holidays) Reset() { clear(h.known) }

func (h *Holidays) at(index int64) bool {
	is, known := h.known[index]
	if !known {
		if len(h.known) >= maxKnown {
			clear(h.known)
		}
		is = h.covers(index*msPerHour, (index+1)*msPerHour)
		h.known[index] = is
	}
	return is
}

// class returns the class of an hour: the hour of the day or of the week by the local time of
// its start, and on a holiday the hour of a holiday, whatever its weekday. A change to or from
// daylight saving time shifts the classes with the local time.
func (c *Config) class(index int64) int {
	if c.Season == NoSeason {
		return 0
	}
	at := time.UnixMilli(index * msPerHour).UTC()
	if c.Zone != nil {
		at = at.In(c.Zone)
	}
	switch {
	case c.Holidays != nil && c.Holidays.at(index):
		return -1 - at.Hour()
	case c.Season == HourOfWeek:
		return int(at.Weekday())*24 + at.Hour()
	default:
		return at.Hour()
	}
}
