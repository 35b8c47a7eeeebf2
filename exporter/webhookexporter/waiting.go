// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// waiting are the records that failed, or stand behind one that did, and are to be
// tried again: those of the one request that exporterhelper is at.
type waiting struct {
	mutex sync.Mutex
	byID  map[string]wait
}

// wait is one of them.
type wait struct {
	message *message
	since   time.Time // it failed first; zero: it was not tried yet
	last    failure
}

func newWaiting() *waiting { return &waiting{byID: map[string]wait{}} }

// failed notes a failure, and gives the time of the record's first.
func (w *waiting) failed(m *message, f failure, now time.Time) time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	one := w.byID[m.ID]
	if one.since.IsZero() {
		one.since = now
	}
	one.message, one.last = m, f
	w.byID[m.ID] = one
	return one.since
}

// behind notes a record that stands behind a failure.
func (w *waiting) behind(m *message, f failure) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if _, known := w.byID[m.ID]; !known {
		w.byID[m.ID] = wait{message: m, last: f}
	}
}

func (w *waiting) remove(m *message) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.byID, m.ID)
}

// all are in the order of their time.
func (w *waiting) all() []wait {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.SortedFunc(maps.Values(w.byID), func(a, b wait) int { return a.message.Time.Compare(b.message.Time) })
}
