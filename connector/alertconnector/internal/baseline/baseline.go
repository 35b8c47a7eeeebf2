// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"math"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
)

// Season says which hours of the lookback are like the present one.
type Season int

// Seasons, as the hours between two that are alike. Without one all hours are.
const (
	NoSeason   Season = 0
	HourOfDay  Season = 24
	HourOfWeek Season = 7 * 24
)

// Config is what a rule says about its baseline.
type Config struct {
	Quantile   float64
	Lookback   time.Duration // at least this much counts, and up to an hour more
	MinHistory time.Duration
	Season     Season
}

// Baseline is what was usual for one series. Times are unix ms, and never run
// backwards.
type Baseline struct {
	config *Config
	closed []Hour // in order
	open   hour
	// total holds the open hour and the closed ones that are like it.
	total hour
	// earlier says that total holds values of before the open hour.
	earlier bool
}

// Level is where the baseline stands.
type Level struct {
	Value float64
	// History is how much of the lookback is known: the hours with values, the oldest
	// of them from its first value on, and the present one.
	History time.Duration
	// Ready is false while the baseline is still being learned.
	Ready bool
}

const msPerHour = int64(time.Hour / time.Millisecond)

// hour is an hour that values enter, or the sum of several.
type hour struct {
	index    int64 // hours since 1970
	first    int64 // end of the first window, unix ms
	count    int64
	min, max float64
	sketch   *ddsketch.DDSketch
}

// New makes a baseline that knows nothing.
func New(config *Config) *Baseline { return &Baseline{config: config} }

func newHour(index int64, quantile float64) hour {
	return hour{index: index, min: math.Inf(1), max: math.Inf(-1), sketch: newSketch(quantile)}
}

// At is the baseline for a window that ends at end. The window itself is not in
// it: Add it afterwards.
func (b *Baseline) At(end int64) Level {
	b.advance(end)
	level := Level{History: b.history(end)}
	if b.total.count == 0 {
		return level
	}
	level.Value = b.total.quantile(b.config.Quantile)
	level.Ready = level.History >= b.config.MinHistory && (b.config.Season == NoSeason || b.earlier)
	return level
}

// Add takes the value of a window that ends at end.
func (b *Baseline) Add(end int64, value float64) {
	b.advance(end)
	b.open.add(end, value)
	b.total.add(end, value)
}

// history is what is known at end: closed hours as wholes but for the oldest, and
// the open one up to end.
func (b *Baseline) history(end int64) time.Duration {
	if len(b.closed) == 0 {
		if b.open.count == 0 {
			return 0
		}
		return time.Duration(end-b.open.first) * time.Millisecond
	}
	oldest := &b.closed[0]
	known := int64(len(b.closed))*msPerHour - (oldest.First - oldest.Index*msPerHour) + end - b.open.index*msPerHour
	return time.Duration(known) * time.Millisecond
}

// advance closes the open hour when end is in a later one.
func (b *Baseline) advance(end int64) {
	index := indexOf(end)
	if b.open.sketch != nil && index <= b.open.index {
		return
	}
	if b.open.count > 0 {
		b.closed = append(b.closed, b.open.close())
	}
	b.open = newHour(index, b.config.Quantile)
	b.forget(b.firstCounting())
	b.sum()
}

// firstCounting is the oldest hour of the lookback.
func (b *Baseline) firstCounting() int64 { return b.open.index - int64(b.config.Lookback/time.Hour) }

// indexOf is the hour of a window: that of its last millisecond.
func indexOf(end int64) int64 { return (end - 1) / msPerHour }

// forget drops the closed hours before first.
func (b *Baseline) forget(first int64) {
	n := 0
	for n < len(b.closed) && b.closed[n].Index < first {
		n++
	}
	b.closed = append([]Hour(nil), b.closed[n:]...) // lets go of the array's front
}

// sum puts the total together from the closed hours; the open one is empty.
func (b *Baseline) sum() {
	b.total = newHour(b.open.index, b.config.Quantile)
	b.earlier = false
	for i := range b.closed {
		closed := &b.closed[i]
		if season := int64(b.config.Season); season == 0 || (b.open.index-closed.Index)%season == 0 {
			b.total.merge(closed)
			b.earlier = true
		}
	}
}

func (h *hour) add(end int64, value float64) {
	_ = h.sketch.Add(value) // fails only beyond what Sane lets through
	if h.count == 0 {
		h.first = end
	}
	h.count++
	h.min, h.max = min(h.min, value), max(h.max, value)
}

// quantile is within the sketch's error, and never outside of what was seen.
func (h *hour) quantile(q float64) float64 {
	value, err := h.sketch.GetValueAtQuantile(q)
	if err != nil { // there is at least one value, and q was validated
		return h.max
	}
	return min(max(value, h.min), h.max)
}
