// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"errors"
	"slices"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// exemplarOrder keeps the exemplars of one request in the order that the database expects of a
// series. The database checks each against those of earlier requests only, writes all of them to
// its log, and rejects those that are out of order when it adds them: now without a word, and
// again with a warning for each whenever the log is replayed.
type exemplarOrder struct {
	window int64                        // ms: how much older than the newest an exemplar may be
	newest map[uint64]exemplar.Exemplar // of a series, by the hash of its labels
}

// sorted returns the exemplars of a series that can follow those before, and how many cannot.
func (o *exemplarOrder) sorted(series labels.Labels, all []exemplar.Exemplar) (kept []exemplar.Exemplar, rejected int) {
	if len(all) == 0 {
		return nil, 0
	}
	all = slices.Clone(all) // they are the caller's
	slices.SortFunc(all, compareExemplars)
	if o.newest == nil {
		o.newest = map[uint64]exemplar.Exemplar{}
	}
	hash := series.Hash()
	newest, known := o.newest[hash]
	kept = all[:0]
	for _, e := range all {
		if known && (e.Ts < newest.Ts && e.Ts <= newest.Ts-o.window || e.Ts == newest.Ts && compareExemplars(e, newest) < 0) {
			rejected++
			continue
		}
		if !known || e.Ts >= newest.Ts {
			newest, known = e, true
		}
		kept = append(kept, e)
	}
	o.newest[hash] = newest
	return kept, rejected
}

// compareExemplars is the order of the database: by time, value and labels.
func compareExemplars(a, b exemplar.Exemplar) int {
	return cmp.Or(cmp.Compare(a.Ts, b.Ts), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Labels.Hash(), b.Labels.Hash()))
}

// rejectedExemplars is the number of exemplars of a sample that the database has rejected; the
// sample itself is in.
func rejectedExemplars(err error) (n int, partial bool) {
	failure, partial := errors.AsType[*storage.AppendPartialError](err)
	if !partial {
		return 0, false
	}
	return len(failure.ExemplarErrors), true
}
