// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	healthInterval = 5 * time.Second
	// notStored is how long writes may arrive without a sample that is stored.
	notStored = 30 * time.Second
	// noWrites is how long nothing may arrive once something has, or ten windows, if that
	// is longer.
	noWrites = time.Minute
	// recent is how long after the last write writes still count as arriving.
	recent = 2 * time.Minute
)

// flow is when writes arrived, and when samples were stored.
type flow struct {
	stored time.Time // the latest
	first  time.Time // write that has arrived since then
	last   time.Time // write that has arrived
}

func (f *flow) arrive(now time.Time) {
	f.last = now
	if f.first.IsZero() {
		f.first = now
	}
}

func (f *flow) store(now time.Time) { f.stored, f.first = now, time.Time{} }

// trouble is an error when nothing was stored for long although writes arrive, or have
// stopped to arrive.
func (f *flow) trouble(now time.Time, noWrites time.Duration) error {
	since := "start"
	if !f.stored.IsZero() {
		since = f.stored.UTC().Format(time.RFC3339)
	}
	switch {
	case !f.first.IsZero() && now.Sub(f.first) > notStored && now.Sub(f.last) < recent:
		return fmt.Errorf("nothing was stored since %s, although writes arrive: see otelcol_dashboard_refused_samples, and the log of who writes", since)
	case !f.stored.IsZero() && now.Sub(f.stored) > noWrites:
		return fmt.Errorf("nothing was stored since %s: no writes arrive; see the exporter that writes to the dashboard, its queue and its log", since)
	}
	return nil
}

// health is what the component reports of itself. It reports changes alone.
type health struct {
	noWrites time.Duration
	report   func(error)

	mutex    sync.Mutex
	flow     flow
	store    error // why the store takes no samples
	stale    error // that nothing was stored for long
	events   error // why events are not stored
	reported string
}

func newHealth(c *Config, report func(error)) *health {
	return &health{noWrites: max(noWrites, 10*(c.Window.Size-c.Window.Overlap)), report: report}
}

// arrived is called when a write arrives, before its body.
func (h *health) arrived() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.flow.arrive(time.Now())
}

// stored is called when samples were stored.
func (h *health) stored() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.flow.store(time.Now())
}

// setStore is called when the store fails, and with nil when it recovers.
func (h *health) setStore(err error) {
	h.update(func() { h.store = err })
}

// setEvents is called when the store of events fails, and with nil when it recovers. It concerns the
// component's status only: samples are accepted.
func (h *health) setEvents(err error) {
	if err != nil {
		err = fmt.Errorf("events: %w", err)
	}
	h.update(func() { h.events = err })
}

// watch looks for writes that stay away, until the context ends.
func (h *health) watch(ctx context.Context) {
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			h.update(func() { h.stale = h.flow.trouble(now, h.noWrites) })
		}
	}
}

func (h *health) update(change func()) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	change()
	trouble := errors.Join(h.store, h.stale, h.events)
	text := fmt.Sprint(trouble)
	if text == h.reported || trouble == nil && h.reported == "" {
		return
	}
	h.reported = text
	h.report(trouble)
}

// trouble is nil, or why samples are not stored.
func (h *health) trouble() error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return errors.Join(h.store, h.stale)
}
