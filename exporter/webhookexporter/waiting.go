// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"sync"
	"time"
)

// waiting are the records that failed and are to be tried again: those of the one
// request that exporterhelper is at.
type waiting struct {
	mutex sync.Mutex
	byID  map[string]wait
}

// wait is one of them.
type wait struct {
	message *message
	since   time.Time // it failed first
	last    failure
}

func newWaiting() *waiting { return &waiting{byID: map[string]wait{}} }

// add notes a failure, and gives the time of the record's first.
func (w *waiting) add(m *message, f failure, now time.Time) time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	one, known := w.byID[m.ID]
	if !known {
		one.since = now
	}
	one.message, one.last = m, f
	w.byID[m.ID] = one
	return one.since
}

func (w *waiting) remove(m *message) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.byID, m.ID)
}

func (w *waiting) all() []wait {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	all := make([]wait, 0, len(w.byID))
	for _, one := range w.byID {
		all = append(all, one)
	}
	return all
}
