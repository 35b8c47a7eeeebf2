// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// The storage keys of the state. Each series has one value, which is written whenever
// the series changes, and one value per day of closed hours, which is written when an
// hour closes.
const seriesCountKey = "series"

func seriesKey(number int) string           { return fmt.Sprintf("series/%d", number) }
func dayKey(number int, day int64) string   { return fmt.Sprintf("series/%d/day/%d", number, day) }
func dayOf(hour *baseline.Hour) (day int64) { return hour.Index / 24 }

// Change is a key to be set or, where Value is nil, deleted.
type Change struct {
	Key   string
	Value []byte
}

// gone describes the values on the storage of a removed series.
type gone struct {
	number int
	saved  span
}

// span is the range of closed hours of a series that are on the storage.
type span struct {
	First int64 `json:"first"` // day; the days before it are deleted
	Last  int64 `json:"last"`  // hour; later ones are not saved yet
}

// savedSeries is the saved form of a series.
type savedSeries struct {
	Rule       string         `json:"rule"`
	Source     string         `json:"source"` // see Rule.source
	Attributes Attributes     `json:"attributes"`
	End        int64          `json:"end"`
	Steps      [4]int64       `json:"steps"`
	Previous   float64        `json:"previous,omitempty"`
	Running    bool           `json:"running,omitempty"`
	Expired    int64          `json:"expired,omitempty"`
	Generation int            `json:"generation,omitempty"`
	Levels     []savedLevel   `json:"levels"`
	Open       *baseline.Hour `json:"open,omitempty"`
	Closed     span           `json:"closed"`
}

type savedLevel struct {
	Severity  string      `json:"severity"`
	State     rule.State  `json:"state"`
	NoData    rule.NoData `json:"silence"`
	Value     float64     `json:"value"`
	Threshold float64     `json:"threshold"`
	Baseline  *float64    `json:"baseline,omitempty"`
	Domain    string      `json:"domain,omitempty"`
	NoDataIn  string      `json:"no_data_domain,omitempty"`
}

// savedDay is the saved form of a day of a series.
type savedDay struct {
	Series uint32          `json:"series"` // fingerprint: a number may have belonged to another series before
	Hours  []baseline.Hour `json:"hours"`
}

// fingerprint distinguishes series that have had the same number at different times.
func (s *Series) fingerprint() uint32 {
	return checksum([]byte(s.rule.Name + "\x00" + s.attributes.key()))
}

// source identifies the input of a rule. State that was saved with another source is
// dropped.
func (r *Rule) source() string {
	return fmt.Sprintf("%s of=%d by=%q aggregate=%d", r.Metric, r.Mode, r.By, r.Aggregate)
}

// Changes returns the writes and deletions since the last save. Their order keeps the
// storage consistent if only the first of them are written: the closed hours of a series
// come before the value of the series, which no longer contains them.
func (e *Engine) Changes() []Change {
	var changes []Change
	for _, s := range e.gone {
		changes = s.remove(changes)
	}
	if e.counted < e.next {
		changes = append(changes, Change{Key: seriesCountKey, Value: encodeJSON(e.next)})
	}
	for _, of := range e.series {
		for _, s := range of {
			if s.changed {
				changes = s.save(changes)
			}
		}
	}
	return changes
}

// Saved records that the storage has accepted the Changes, or that there is no storage.
func (e *Engine) Saved() {
	for _, s := range e.gone {
		e.free = append(e.free, s.number)
	}
	e.gone, e.counted = nil, e.next
	for _, of := range e.series {
		for _, s := range of {
			if s.changed {
				s.changed, s.saved = false, s.span()
			}
		}
	}
}

// span returns the range of closed hours on the storage after the next save.
func (s *Series) span() span {
	if s.baseline == nil || len(s.baseline.Closed()) == 0 {
		return s.saved
	}
	closed := s.baseline.Closed()
	return span{First: dayOf(&closed[0]), Last: closed[len(closed)-1].Index}
}

func (s *Series) save(changes []Change) []Change {
	span := s.span()
	changes = s.saveDays(changes, span)
	changes = append(changes, Change{Key: seriesKey(s.Number), Value: encodeJSON(s.piece(span))})
	for day := s.saved.First; s.saved.Last > 0 && day < span.First; day++ {
		changes = append(changes, Change{Key: dayKey(s.Number, day)})
	}
	return changes
}

// saveDays saves the days that have an unsaved closed hour.
func (s *Series) saveDays(changes []Change, now span) []Change {
	if now.Last <= s.saved.Last {
		return changes
	}
	closed := s.baseline.Closed()
	for begin := 0; begin < len(closed); {
		end := begin
		for end < len(closed) && dayOf(&closed[end]) == dayOf(&closed[begin]) {
			end++
		}
		if closed[end-1].Index > s.saved.Last {
			day := savedDay{Series: s.fingerprint(), Hours: closed[begin:end]}
			changes = append(changes, Change{Key: dayKey(s.Number, dayOf(&closed[begin])), Value: encodeJSON(day)})
		}
		begin = end
	}
	return changes
}

func (g *gone) remove(changes []Change) []Change {
	changes = append(changes, Change{Key: seriesKey(g.number)})
	for day := g.saved.First; g.saved.Last > 0 && day <= g.saved.Last/24; day++ {
		changes = append(changes, Change{Key: dayKey(g.number, day)})
	}
	return changes
}

func (s *Series) piece(closed span) savedSeries {
	piece := savedSeries{
		Rule: s.rule.Name, Source: s.rule.source(), Attributes: s.attributes, End: s.end, Steps: s.steps,
		Previous: s.previous, Running: s.running, Expired: s.expired, Generation: s.generation, Closed: closed,
	}
	if s.baseline != nil {
		piece.Open = s.baseline.Open()
	}
	for i := range s.levels {
		l := &s.levels[i]
		piece.Levels = append(piece.Levels, savedLevel{
			Severity: s.rule.Levels[i].Severity, State: l.state, NoData: l.noData,
			Value: l.value, Threshold: l.threshold, Baseline: l.baseline, Domain: l.domain, NoDataIn: l.noDataIn,
		})
	}
	return piece
}
