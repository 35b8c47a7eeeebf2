// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package baseline keeps a quantile of the values of one series over a rolling lookback.
//
// Values are added to a DDSketch per hour, whose quantiles have a bounded relative error.
// A closed hour is kept in the encoding of the sketch. When an hour begins, the sketch of
// the lookback is merged anew from its hours, which removes what is older.
package baseline

import (
	"errors"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
)

// Config is the baseline of a rule.
type Config struct {
	Quantile   float64
	Lookback   time.Duration // at least this much counts, and up to an hour more
	MinHistory time.Duration
	Season     Season
	Zone       *time.Location // of a season; nil: UTC
	Holidays   *Holidays      // of a season; nil: none
}

// Baseline is the baseline of one series. Times are unix ms and do not decrease.
type Baseline struct {
	config *Config
	closed []Hour // in order
	open   openHour
	// total holds the open hour and the closed ones of its season.
	total *ddsketch.DDSketchWithExactSummaryStatistics
	// earlier reports whether total holds values from before the open hour.
	earlier bool
}

// Level is the baseline at a point in time.
type Level struct {
	Value float64
	// History is the part of the lookback that is known: the hours with values, the oldest
	// of them from its first value on, and the open one.
	History time.Duration
	// Ready is false while the baseline is being learned.
	Ready bool
}

const msPerHour = int64(time.Hour / time.Millisecond)

// openHour is the hour to which values are added.
type openHour struct {
	index  int64 // hours since 1970
	first  int64 // end of its first window, unix ms; 0: it has no values
	sketch *ddsketch.DDSketchWithExactSummaryStatistics
}

// New returns a baseline without values.
func New(config *Config) *Baseline { return &Baseline{config: config} }

// At returns the baseline for a window that ends at end. The window itself is not
// part of it: Add it afterwards.
func (b *Baseline) At(end int64) Level {
	b.advance(end)
	level := Level{History: b.history(end)}
	value, err := b.total.GetValueAtQuantile(b.config.Quantile)
	if err != nil { // it has no values
		return level
	}
	level.Value = value
	level.Ready = level.History >= b.config.MinHistory && (b.config.Season == NoSeason || b.earlier)
	return level
}

// Add adds the value of a window that ends at end.
func (b *Baseline) Add(end int64, value float64) {
	b.advance(end)
	if b.open.sketch.IsEmpty() {
		b.open.first = end
	}
	_ = b.open.sketch.Add(value) // fails only beyond what Sane accepts
	_ = b.total.Add(value)
}

// history returns how much is known at end: closed hours in full but for the oldest, and
// the open one up to end.
func (b *Baseline) history(end int64) time.Duration {
	if len(b.closed) == 0 {
		if b.open.sketch.IsEmpty() {
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
	if open := b.Open(); open != nil {
		b.closed = append(b.closed, *open)
	}
	b.begin(index)
}

// begin opens an hour: it drops the hours that have left the lookback, and merges the
// others into the total.
func (b *Baseline) begin(index int64) {
	b.open = openHour{index: index, sketch: newSketch(b.config.Quantile)}
	n := 0
	for n < len(b.closed) && b.closed[n].Index < index-int64(b.config.Lookback/time.Hour) {
		n++
	}
	b.closed = append([]Hour(nil), b.closed[n:]...) // releases the front of the array
	b.total, b.earlier = newSketch(b.config.Quantile), false
	class := b.config.class(index)
	for i := range b.closed {
		if b.config.class(b.closed[i].Index) == class {
			b.closed[i].mergeInto(b.total)
			b.earlier = true
		}
	}
}

// indexOf returns the hour of a window: that of its last millisecond.
func indexOf(end int64) int64 { return (end - 1) / msPerHour }

// Open returns the open hour, to be saved; nil when it has no values.
func (b *Baseline) Open() *Hour {
	if b.open.sketch == nil || b.open.sketch.IsEmpty() {
		return nil
	}
	open := Hour{Index: b.open.index, First: b.open.first}
	b.open.sketch.Encode(&open.Sketch, true)
	return &open
}

// Closed returns the closed hours, in order. The caller must not change them.
func (b *Baseline) Closed() []Hour { return b.closed }

// Reconfigure returns the baseline of the same values under another configuration.
func (b *Baseline) Reconfigure(config *Config) *Baseline {
	hours := append([]Hour(nil), b.closed...)
	if open := b.Open(); open != nil {
		hours = append(hours, *open)
	}
	if len(hours) == 0 {
		return New(config)
	}
	return restore(config, hours)
}

// Restore returns a baseline that continues after saved hours, which are in order. Hours
// that are not valid are left out, and returned as an error beside the baseline.
func Restore(config *Config, hours []Hour) (*Baseline, error) {
	var valid []Hour
	var damage []error
	last := int64(-1)
	for _, saved := range hours {
		if err := saved.validate(); err != nil {
			damage = append(damage, err)
			continue
		}
		if saved.Index <= last {
			continue // it was saved as open and as closed: the first is complete
		}
		last = saved.Index
		valid = append(valid, saved)
	}
	if len(valid) == 0 {
		return New(config), errors.Join(damage...)
	}
	return restore(config, valid), errors.Join(damage...)
}

// restore returns a baseline of valid hours. The last is open: further values may follow.
func restore(config *Config, hours []Hour) *Baseline {
	b := New(config)
	open := hours[len(hours)-1]
	b.closed = hours[:len(hours)-1]
	b.begin(open.Index)
	b.open.first = open.First
	open.mergeInto(b.open.sketch)
	open.mergeInto(b.total)
	return b
}
