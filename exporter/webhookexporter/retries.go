// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// retryTracker holds the records that are to be retried: those of the one request that
// exporterhelper is at.
type retryTracker struct {
	mutex sync.Mutex
	byID  map[string]retried
	// refused is when the receiver began to refuse our credentials, or to respond with a
	// body that success_body does not match; zero: it does not.
	refused time.Time
}

// retried is a record that is to be retried.
type retried struct {
	message *message
	since   time.Time // of its first failure; zero: it was not sent yet
	last    failure
}

func newRetryTracker() *retryTracker { return &retryTracker{byID: map[string]retried{}} }

// failed notes a failure and returns the time of the record's first.
func (r *retryTracker) failed(m *message, f failure, now time.Time) time.Time {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	one := r.byID[m.ID]
	if one.since.IsZero() {
		one.since = now
	}
	one.message, one.last = m, f
	r.byID[m.ID] = one
	return one.since
}

// behind notes a record that was not sent because another failed.
func (r *retryTracker) behind(m *message, f failure) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, known := r.byID[m.ID]; !known {
		r.byID[m.ID] = retried{message: m, last: f}
	}
}

func (r *retryTracker) remove(m *message) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.byID, m.ID)
}

// all returns the records in the order of their time.
func (r *retryTracker) all() []retried {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.SortedFunc(maps.Values(r.byID), func(a, b retried) int { return a.message.Time.Compare(b.message.Time) })
}

func (r *retryTracker) noteRefusal(f failure, now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case !f.auth:
		r.refused = time.Time{}
	case r.refused.IsZero():
		r.refused = now
	}
}

// refusedSince returns when auth_retry began for a record: with the first refusal, or with
// the arrival of the record, whichever is later. Records that wait in the queue meanwhile do
// not each begin anew.
func (r *retryTracker) refusedSince(m *message, firstFailure time.Time) time.Time {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	arrived := firstFailure
	if m.observed.Before(arrived) { // a record may come from a clock that is ahead
		arrived = m.observed
	}
	if arrived.Before(r.refused) {
		return r.refused
	}
	return arrived
}
