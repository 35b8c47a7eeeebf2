// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"cmp"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// trouble is what a receiver of this collector reports of itself.
type trouble struct {
	Component string `json:"component"`
	Since     int64  `json:"since"` // unix ms
	Error     string `json:"error"`
}

// receivers keeps the troubles of the receivers of this collector: while they do not read,
// there is no window that could say so.
type receivers struct {
	mutex    sync.Mutex
	troubles map[string]trouble
}

func (r *receivers) changed(name string, event *componentstatus.Event) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if event.Err() == nil {
		delete(r.troubles, name)
		return
	}
	found := trouble{Component: name, Since: event.Timestamp().UnixMilli(), Error: event.Err().Error()}
	if before, known := r.troubles[name]; known {
		found.Since = before.Since
	}
	if r.troubles == nil {
		r.troubles = map[string]trouble{}
	}
	r.troubles[name] = found
}

// list gives the troubles, in the order of the receivers' names.
func (r *receivers) list() []trouble {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	all := []trouble{}
	for _, t := range r.troubles {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b trouble) int { return cmp.Compare(a.Component, b.Component) })
	return all
}

var _ componentstatus.Watcher = (*dashboard)(nil)

// ComponentStatusChanged implements componentstatus.Watcher.
func (d *dashboard) ComponentStatusChanged(source *componentstatus.InstanceID, event *componentstatus.Event) {
	if source.Kind() == component.KindReceiver {
		d.receivers.changed(source.ComponentID().String(), event)
	}
}
