// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package heartbeat decides when an alert that always fires is emitted again: at an interval,
// while windows arrive for every stream that is up. Its receiver alerts when it is absent (a
// dead man's switch).
//
// A stream is up from its first window on until a window without open connections. Times are
// unix ms; those of windows are of the streams, all others of the wall clock, which is an
// argument. It is not safe for concurrent use.
package heartbeat

import (
	"cmp"
	"errors"
	"slices"
)

// Stream is a tenant in a region.
type Stream struct {
	Tenant string `json:"tenant"`
	Region string `json:"region"`
}

// Window is a window of a series of a stream.
type Window struct {
	Stream Stream
	End    int64
	Open   *float64 // connections; nil: not reported
}

// Monitor is the state of all streams.
type Monitor struct {
	interval int64
	most     int // streams
	streams  map[Stream]*stream
	emitted  int64 // the latest heartbeat; 0: none
	changed  bool  // the result of Save
}

type stream struct {
	end     int64 // of the latest window
	arrived int64 // the latest window, or the start that has restored the stream
	waiting bool  // restored, and no window since
	step    int64 // the shortest time between two windows; 0: not known
	open    float64
	quiet   bool // the latest window reports no open connection
}

const (
	// lateSteps is how many windows a stream may miss.
	lateSteps = 3
	// expire is when a stream without windows is no longer waited for, ms.
	expire = 24 * 60 * 60 * 1000
	// maxFuture is how far ahead of the wall clock a window may end, ms. When a later one was
	// seen, the clock was wrong, and the stream begins anew.
	maxFuture = 10 * 60 * 1000
)

// New returns a monitor of at most so many streams that emits at an interval, in ms.
func New(interval int64, most int) *Monitor {
	return &Monitor{interval: interval, most: most, streams: map[Stream]*stream{}}
}

// Observe records the windows of a batch. It returns the number of windows of streams beyond
// the most, which are not monitored.
func (m *Monitor) Observe(windows []Window, now int64) (over int) {
	for _, w := range windows {
		s, known := m.streams[w.Stream]
		if known && s.end > now+maxFuture {
			known = false
		}
		if !known {
			if m.streams[w.Stream] == nil && len(m.streams) >= m.most {
				over++
				continue
			}
			s = &stream{}
			m.streams[w.Stream] = s
			m.changed = true
		}
		s.observe(w, now)
	}
	for _, w := range windows { // after all series of the stream
		if s := m.streams[w.Stream]; s != nil && s.end == w.End && s.quiet != (s.open == 0) {
			s.quiet = s.open == 0
			m.changed = true
		}
	}
	return over
}

func (s *stream) observe(w Window, now int64) {
	switch {
	case w.End < s.end:
		return
	case w.End > s.end:
		if step := w.End - s.end; s.end > 0 && (s.step == 0 || step < s.step) {
			s.step = step
		}
		s.end, s.arrived, s.waiting, s.open = w.End, now, false, 0
	}
	if w.Open == nil {
		s.open++ // not known to be quiet
	} else {
		s.open += *w.Open
	}
}

// Late returns the streams that are up and whose windows do not arrive, in order.
func (m *Monitor) Late(now int64) (late []Stream) {
	for key, s := range m.streams {
		if !s.quiet && (s.waiting || now-s.arrived > max(m.interval, lateSteps*s.step)) {
			late = append(late, key)
		}
	}
	slices.SortFunc(late, func(a, b Stream) int { return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Tenant, b.Tenant)) })
	return late
}

// Due reports whether a heartbeat is to be emitted, and records it as emitted. None is before
// the first window.
func (m *Monitor) Due(now int64) bool {
	for key, s := range m.streams {
		if now-s.arrived >= expire {
			delete(m.streams, key)
			m.changed = true
		}
	}
	since := now - m.emitted
	if len(m.streams) == 0 || m.emitted > 0 && since >= 0 && since < m.interval || len(m.Late(now)) > 0 {
		return false
	}
	m.emitted = now
	return true
}

// Saved is the form in which a stream is saved.
type Saved struct {
	Stream

	Step  int64 `json:"step"`
	Quiet bool  `json:"quiet,omitempty"`
}

// Changed reports whether what Save returns has changed since the latest Stored.
func (m *Monitor) Changed() bool { return m.changed }

// Stored records that the state is saved.
func (m *Monitor) Stored() { m.changed = false }

// Save returns the streams to be saved. After a restart, no heartbeat is emitted before each
// of them that was up has a window.
func (m *Monitor) Save() []Saved {
	all := make([]Saved, 0, len(m.streams))
	for key, s := range m.streams {
		all = append(all, Saved{Stream: key, Step: s.step, Quiet: s.quiet})
	}
	return all
}

// Restore continues with saved streams. An error means that they are not valid, and nothing is
// restored.
func (m *Monitor) Restore(saved []Saved, now int64) error {
	for _, s := range saved {
		if s.Step < 0 || s.Step > expire {
			return errors.New("step: out of range")
		}
	}
	if len(saved) > m.most {
		saved = saved[:m.most]
	}
	for _, s := range saved {
		m.streams[s.Stream] = &stream{arrived: now, waiting: true, step: s.Step, quiet: s.Quiet}
	}
	return nil
}
