// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package componenttest is what the components' tests share beyond the Collector's own
// componenttest: a host that records statuses, a storage that can be full, fail and be
// copied as a kill leaves it, a sink that refuses, and fuzzing of configurations.
package componenttest

import (
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// Host has extensions, and records the statuses that components report.
type Host struct {
	extensions map[component.ID]component.Component

	mutex    sync.Mutex
	reported sync.Cond
	events   []*componentstatus.Event
	taken    int // events that Next has returned
}

// NewHost makes a host with a storage extension, under StorageID, unless that is nil.
func NewHost(storage component.Component) *Host {
	if storage == nil {
		return NewHostWith(nil)
	}
	return NewHostWith(map[component.ID]component.Component{StorageID: storage})
}

// NewHostWith makes a host with extensions.
func NewHostWith(extensions map[component.ID]component.Component) *Host {
	h := &Host{extensions: extensions}
	h.reported.L = &h.mutex
	return h
}

// GetExtensions returns the extensions.
func (h *Host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// Report records a status.
func (h *Host) Report(event *componentstatus.Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.events = append(h.events, event)
	h.reported.Broadcast()
}

// Next waits for the next status event, the first one at first.
func (h *Host) Next() *componentstatus.Event {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for h.taken == len(h.events) {
		h.reported.Wait()
	}
	h.taken++
	return h.events[h.taken-1]
}

// Statuses are those reported so far, in order.
func (h *Host) Statuses() []componentstatus.Status {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var statuses []componentstatus.Status
	for _, event := range h.events {
		statuses = append(statuses, event.Status())
	}
	return statuses
}

// LastEvent is the latest status event, nil when there is none.
func (h *Host) LastEvent() *componentstatus.Event {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if len(h.events) == 0 {
		return nil
	}
	return h.events[len(h.events)-1]
}

// LastStatus is the latest status, StatusNone when there is none.
func (h *Host) LastStatus() componentstatus.Status {
	if event := h.LastEvent(); event != nil {
		return event.Status()
	}
	return componentstatus.StatusNone
}
