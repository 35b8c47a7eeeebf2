// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// Get reads keys of the storage; a key that is not there gives nil.
type Get func(keys ...string) ([][]byte, error)

// Damage is a piece of state that cannot be used.
type Damage struct {
	Key   string
	Piece []byte
	Err   error
}

// Restored is what a restore found.
type Restored struct {
	Outcome Outcome // resolved alerts of rules and severities that are gone
	Series  int
	Dropped int // series of rules that are gone or look at something else now
	Damage  []Damage
}

// readAtOnce is the number of series whose keys are read in one transaction.
const readAtOnce = 100

// Restore restores the saved state into a new engine. Damaged values are returned, and
// the rest is used. It returns an error if the storage cannot be read.
func (e *Engine) Restore(get Get) (Restored, error) {
	var found Restored
	pieces, err := get(seriesCountKey)
	if err != nil || pieces[0] == nil {
		return found, err
	}
	count := 0
	err = decodeJSON(pieces[0], &count)
	if err == nil && (count < 0 || count > maxNumbers) {
		err = fmt.Errorf("says that there are %d series", count)
	}
	if err != nil { // then they are looked for, up to where there are none for long
		found.damaged(seriesCountKey, pieces[0], err)
		count = maxNumbers
	}
	e.counted = count
	for e.next < count {
		some, err := e.restoreSome(get, min(e.next+readAtOnce, count), &found)
		if err != nil {
			return found, err
		}
		if !some && count == maxNumbers {
			e.counted = 0 // to be written anew
			break
		}
	}
	return found, nil
}

// restoreSome restores the series up to a number. It returns false if there are none.
func (e *Engine) restoreSome(get Get, to int, found *Restored) (bool, error) {
	var keys []string
	for number := e.next; number < to; number++ {
		keys = append(keys, seriesKey(number))
	}
	pieces, err := get(keys...)
	if err != nil {
		return false, err
	}
	some := false
	var revived []revived
	for i, piece := range pieces {
		if piece == nil {
			e.free = append(e.free, e.next+i)
			continue
		}
		some = true
		if r, ok := e.restoreSeries(e.next+i, piece, found); ok && r.series.rule.Baseline != nil {
			revived = append(revived, r)
		}
	}
	e.next = to
	return some, restoreBaselines(get, revived, found)
}

// revived is a series that lacks its baseline yet.
type revived struct {
	series *Series
	piece  []byte
	open   *baseline.Hour
}

// maxNumbers is beyond what any number of rules and series needs.
const maxNumbers = 10_000_000

func (r *Restored) damaged(key string, piece []byte, err error) {
	r.Damage = append(r.Damage, Damage{Key: key, Piece: piece, Err: err})
}

// restoreSeries decodes a series. It returns false if the series cannot be used.
func (e *Engine) restoreSeries(number int, piece []byte, found *Restored) (revived, bool) {
	var saved savedSeries
	if err := decodeJSON(piece, &saved); err != nil {
		found.damaged(seriesKey(number), piece, err)
		e.gone = append(e.gone, gone{number: number})
		return revived{}, false
	}
	s := &Series{
		Number: number, attributes: saved.Attributes, end: saved.End, steps: saved.Steps,
		previous: saved.Previous, running: saved.Running, expired: saved.Expired, generation: saved.Generation,
	}
	if days := saved.Closed; days.First >= 0 && days.First <= days.Last/24 && days.Last/24-days.First <= maxDays {
		s.saved = days
	}
	position := slices.IndexFunc(e.rules, func(r *Rule) bool { return r.Name == saved.Rule && r.source() == saved.Source })
	if position < 0 {
		s.rule = &Rule{Name: saved.Rule}
		e.drop(s, &saved, found)
		return revived{}, false
	}
	s.rule = e.rules[position]
	key := s.attributes.key()
	if len(e.series[position]) >= s.rule.MaxSeries || e.series[position][key] != nil {
		e.drop(s, &saved, found)
		return revived{}, false
	}
	s.levels = make([]level, len(s.rule.Levels))
	s.restoreLevels(&saved, found)
	e.series[position][key] = s
	found.Series++
	return revived{series: s, piece: piece, open: saved.Open}, true
}

// restoreLevels restores the severities that the rule still has, and resolves the alerts
// of the others.
func (s *Series) restoreLevels(saved *savedSeries, found *Restored) {
	gone := s.without()
	for _, l := range saved.Levels {
		restored := level{state: l.State, noData: l.NoData, value: l.Value, threshold: l.Threshold, baseline: l.Baseline, domain: l.Domain, noDataIn: l.NoDataIn}
		i := slices.IndexFunc(s.rule.Levels, func(of rule.Level) bool { return of.Severity == l.Severity })
		if i >= 0 {
			s.levels[i] = restored
			continue
		}
		gone.levels = append(gone.levels, restored)
		gone.rule.Levels = append(gone.rule.Levels, rule.Level{Severity: l.Severity})
		s.changed = true
	}
	gone.expire(&found.Outcome, rule.RuleGone)
	s.expired = max(s.expired, gone.expired)
}

// drop deletes a series that no rule uses.
func (e *Engine) drop(s *Series, saved *savedSeries, found *Restored) {
	s.rule = &Rule{Name: s.rule.Name}
	s.levels = nil
	s.restoreLevels(saved, found)
	found.Dropped++
	e.gone = append(e.gone, gone{number: s.Number, saved: s.saved})
}

// restoreBaselines reads the closed hours of several series.
func restoreBaselines(get Get, all []revived, found *Restored) error {
	var keys []string
	counts := make([]int, len(all))
	for i, r := range all {
		days := r.series.saved
		for day := days.First; days.Last > 0 && day <= days.Last/24; day++ {
			keys = append(keys, dayKey(r.series.Number, day))
			counts[i]++
		}
	}
	if len(all) == 0 {
		return nil
	}
	pieces, err := get(keys...)
	if err != nil {
		return err
	}
	for i, r := range all {
		r.restoreBaseline(keys[:counts[i]], pieces[:counts[i]], found)
		keys, pieces = keys[counts[i]:], pieces[counts[i]:]
	}
	return nil
}

func (r *revived) restoreBaseline(keys []string, pieces [][]byte, found *Restored) {
	var hours []baseline.Hour
	for i, piece := range pieces {
		if piece == nil {
			continue // the day has no values
		}
		var day savedDay
		if err := decodeJSON(piece, &day); err != nil {
			found.damaged(keys[i], piece, err)
			continue
		}
		if day.Series == r.series.fingerprint() {
			hours = append(hours, day.Hours...)
		}
	}
	if r.open != nil {
		hours = append(hours, *r.open)
	}
	var err error
	if r.series.baseline, err = baseline.Restore(r.series.rule.Baseline, hours); err != nil {
		found.damaged(seriesKey(r.series.Number), r.piece, err)
	}
}

// maxDays is longer than any lookback.
const maxDays = 100
