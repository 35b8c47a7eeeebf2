// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return zone
}

// run adds a value every ten minutes from one time to another, and returns the baseline.
func run(config *Config, from, to time.Time, value func(local time.Time) float64) *Baseline {
	b := New(config)
	for at := from; at.Before(to); at = at.Add(10 * time.Minute) {
		b.Add(at.UnixMilli()+1, value(at.In(config.Zone)))
	}
	return b
}

// Traffic follows the local time. Across both changes of daylight saving time the baseline of
// an hour is that of the same local hour; with UTC it is that of a neighbour.
func TestSeasons_LocalTime(t *testing.T) {
	t.Parallel()
	hour := func(local time.Time) float64 { return float64(local.Hour()) }
	for name, c := range map[string]struct {
		change time.Time
		other  float64 // a quantile in UTC that has the hour of before the change
	}{
		"to summer": {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), 0},
		"to winter": {time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, change := berlin(t), c.change
			for _, season := range []Season{HourOfDay, HourOfWeek} {
				config := &Config{Quantile: 1, Lookback: 21 * 24 * time.Hour, Season: season, Zone: zone}
				noon := time.Date(change.Year(), change.Month(), change.Day()+1, 12, 30, 0, 0, zone)
				b := run(config, change.AddDate(0, 0, -15), noon, hour)
				level := b.At(noon.UnixMilli())
				assert.True(t, level.Ready)
				assert.InDelta(t, 12, level.Value, 0.1, "season %d", season)
			}
			utc := &Config{Quantile: c.other, Lookback: 7 * 24 * time.Hour, Season: HourOfDay}
			noon := time.Date(change.Year(), change.Month(), change.Day()+1, 12, 0, 0, 0, zone)
			b := New(utc)
			for at := change.AddDate(0, 0, -5); at.Before(noon); at = at.Add(10 * time.Minute) {
				b.Add(at.UnixMilli()+1, hour(at.In(zone)))
			}
			assert.NotEqual(t, 12.0, b.At(noon.UnixMilli()+1).Value, "a season in UTC is an hour off")
		})
	}
}

// A holiday is compared with the same hour of earlier holidays, and no ordinary day with one.
func TestSeasons_Holidays(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	holidays := map[string]bool{"2026-11-04": true, "2026-11-11": true}
	asked := 0
	covers := func(start, _ int64) bool {
		asked++
		return holidays[time.UnixMilli(start).In(zone).Format(time.DateOnly)]
	}
	value := func(local time.Time) float64 {
		if holidays[local.Format(time.DateOnly)] {
			return 1
		}
		return 100
	}
	config := &Config{Quantile: 1, Lookback: 30 * 24 * time.Hour, Season: HourOfDay, Zone: zone, Holidays: NewHolidays(covers)}
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, zone)
	first := time.Date(2026, 11, 4, 12, 0, 0, 0, zone)
	assert.False(t, run(config, begin, first, value).At(first.UnixMilli()).Ready, "there was no holiday before")

	second := time.Date(2026, 11, 11, 12, 0, 0, 0, zone)
	level := run(config, begin, second, value).At(second.UnixMilli())
	assert.True(t, level.Ready)
	assert.InDelta(t, 1, level.Value, 0.01)
	next := time.Date(2026, 11, 12, 12, 30, 0, 0, zone)
	config.Quantile = 0
	b := run(config, begin, next, value)
	assert.InDelta(t, 100, b.At(next.UnixMilli()).Value, 1, "no holiday is among the ordinary days")
	assert.LessOrEqual(t, asked, 13*24, "each hour is asked for once")

	holidays["2026-11-12"] = true // the calendar has changed
	config.Holidays.Reset()
	assert.InDelta(t, 100, b.At(next.UnixMilli()).Value, 1, "the hour that has begun keeps its baseline")
	assert.InDelta(t, 1, b.At(next.Add(time.Hour).UnixMilli()).Value, 0.01)
}
