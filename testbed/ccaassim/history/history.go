// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package history is what the simulated platforms know of their sessions besides the
// events that they send: which are open, and which have ended. Their APIs answer questions
// from it.
package history

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// kept bounds the sessions that have ended.
const kept = 200_000

// Session is a session of the platform.
type Session struct {
	Channel traffic.ID
	User    uint64
	Series  int32
	Start   int64 // unix ns
	End     int64 // unix ns; 0: it is open
	Ending  *traffic.Ending
}

// History holds the sessions. It is safe for concurrent use.
type History struct {
	before int64 // unix ns: when sessions that were found open have begun at the latest

	mu    sync.Mutex
	open  map[traffic.ID]*Session
	ended []*Session // in order of their end
}

// New makes a history without sessions.
func New(now time.Time) *History {
	return &History{before: now.Add(-time.Minute).UnixNano(), open: map[traffic.ID]*Session{}}
}

// Began is when a session began that was found open.
func (h *History) Began(channel traffic.ID) int64 {
	return h.before - int64(channel.Low%uint64(time.Hour))
}

// Found adds a session that is open before the first event.
func (h *History) Found(channel traffic.ID, user uint64, series int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[channel] = &Session{Channel: channel, User: user, Series: series, Start: h.Began(channel)}
}

// Add adds what happened.
func (h *History) Add(b *traffic.Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := range b.Items {
		i := &b.Items[n]
		if i.Duplicate || i.Malformed != fault.WellFormed {
			continue
		}
		switch e := &i.Event; e.Kind {
		case traffic.ConnectionOpen:
			h.open[e.Channel] = &Session{Channel: e.Channel, User: e.User, Series: e.Series, Start: b.Times[n]}
		case traffic.ConnectionClose:
			one, known := h.open[e.Channel]
			if !known {
				continue
			}
			delete(h.open, e.Channel)
			one.End, one.Ending = b.Times[n], e.Ending
			h.ended = append(h.ended, one)
			if len(h.ended) > kept {
				h.ended = slices.Clone(h.ended[len(h.ended)-kept/2:])
			}
		}
	}
}

// Open are the sessions that were open at a time, the oldest first: what happened later is
// not known yet.
func (h *History) Open(at time.Time) (all []Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := at.UnixNano()
	for _, one := range h.open {
		if one.Start <= known {
			all = append(all, *one)
		}
	}
	for _, one := range h.ended {
		if one.End > known && one.Start <= known {
			open := *one
			open.End, open.Ending = 0, nil
			all = append(all, open)
		}
	}
	slices.SortFunc(all, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Channel.Low, b.Channel.Low))
	})
	return all
}

// Ended are the sessions that have ended up to a time, in no order.
func (h *History) Ended(at time.Time) (all []Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.ended {
		if one.End <= at.UnixNano() {
			all = append(all, *one)
		}
	}
	return all
}

// StartDay reports whether a session began on a day that an interval touches.
func (s *Session) StartDay(from, to time.Time) bool {
	day := time.Unix(0, s.Start).UTC().Truncate(24 * time.Hour)
	return !day.Before(from.UTC().Truncate(24*time.Hour)) && !day.After(to.UTC())
}
