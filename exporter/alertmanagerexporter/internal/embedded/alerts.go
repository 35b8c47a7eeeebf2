// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/provider"
	"github.com/prometheus/common/model"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/journal"
)

// ErrLimit is returned for new alerts beyond the limit.
var ErrLimit = errors.New("limit of alerts reached")

// alerts is upstream's provider in memory, whose alerts are on disk when Put returns. An
// alert stays on disk until it is resolved and no group waits to notify that.
type alerts struct {
	provider.Alerts

	journal *journal.Journal
	max     int

	put sync.Mutex // held over a Put, so that disk and memory have the same order

	mutex sync.Mutex
	live  map[model.Fingerprint]*alert.Alert
}

// record is an alert in the journal, or the end of one.
type record struct {
	Labels       model.LabelSet `json:"labels"`
	Annotations  model.LabelSet `json:"annotations,omitempty"`
	StartsAt     time.Time      `json:"startsAt,omitzero"`
	EndsAt       time.Time      `json:"endsAt,omitzero"`
	UpdatedAt    time.Time      `json:"updatedAt,omitzero"`
	GeneratorURL string         `json:"generatorURL,omitempty"`
	Timeout      bool           `json:"timeout,omitempty"`
	Done         bool           `json:"done,omitempty"`
}

func openAlerts(memory provider.Alerts, o *Options) (*alerts, error) {
	path := filepath.Join(o.Directory, alertsFile)
	a := &alerts{Alerts: memory, max: o.MaxAlerts, live: map[model.Fingerprint]*alert.Alert{}}
	records, damaged, err := journal.Read(path)
	if err != nil {
		return nil, err
	}
	if damaged != "" {
		o.Logger.Error("State file is damaged; its complete records are in use, the damaged file is kept", "path", path, "kept", damaged, "records", len(records))
	}
	shared := map[string]string{}
	for _, content := range records {
		var r record
		if err := json.Unmarshal(content, &r); err != nil {
			discarded(o.Logger, path, err)
			continue
		}
		one := r.alert(shared)
		if r.Done {
			delete(a.live, one.Fingerprint())
		} else {
			a.live[one.Fingerprint()] = one
		}
	}
	a.journal, err = journal.Create(path, a.snapshot)
	return a, err
}

func (r *record) alert(shared map[string]string) *alert.Alert {
	return &alert.Alert{
		Alert: model.Alert{
			Labels: labelSet(r.Labels, shared), Annotations: labelSet(r.Annotations, shared),
			StartsAt: r.StartsAt, EndsAt: r.EndsAt, GeneratorURL: r.GeneratorURL,
		},
		UpdatedAt: r.UpdatedAt, Timeout: r.Timeout,
	}
}

func encode(one *alert.Alert) ([]byte, error) {
	return json.Marshal(record{
		Labels: one.Labels, Annotations: one.Annotations, StartsAt: one.StartsAt, EndsAt: one.EndsAt,
		UpdatedAt: one.UpdatedAt, GeneratorURL: one.GeneratorURL, Timeout: one.Timeout,
	})
}

func (a *alerts) snapshot() ([][]byte, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	records := make([][]byte, 0, len(a.live))
	for _, one := range a.live {
		content, err := encode(one)
		if err != nil {
			return nil, err
		}
		records = append(records, content)
	}
	return records, nil
}

// Put implements provider.Alerts for the API.
func (a *alerts) Put(ctx context.Context, some ...*alert.Alert) error {
	over, err := a.add(ctx, some)
	if err == nil && len(over) > 0 {
		err = fmt.Errorf("%d of %d alerts not accepted: %w: %d (limits::alerts)", len(over), len(some), ErrLimit, a.max)
	}
	return err
}

// add returns when the alerts are on disk and in memory, but for new alerts over the limit.
// Updates of known alerts are always accepted.
func (a *alerts) add(ctx context.Context, some []*alert.Alert) (over []*alert.Alert, err error) {
	a.put.Lock()
	defer a.put.Unlock()
	accepted, over, err := a.append(some)
	if err != nil {
		return nil, err
	}
	if err := a.journal.Sync(); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return over, a.Alerts.Put(ctx, accepted...)
}

func (a *alerts) append(some []*alert.Alert) (accepted, over []*alert.Alert, err error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	records := make([][]byte, 0, len(some))
	defer func() { a.journal.Append(records...) }() // together: an outage is many
	for _, one := range some {
		fingerprint := one.Fingerprint()
		old, known := a.live[fingerprint]
		switch {
		case known && overlap(old, one):
			one = old.Merge(one)
		case !known && len(a.live) >= a.max:
			over = append(over, one)
			continue
		}
		content, err := encode(one)
		if err != nil {
			return nil, nil, err
		}
		a.live[fingerprint] = one
		records = append(records, content)
		accepted = append(accepted, one)
	}
	return accepted, over, nil
}

// overlap is the condition on which upstream's provider merges two alerts.
func overlap(old, one *alert.Alert) bool {
	return one.EndsAt.After(old.StartsAt) && one.EndsAt.Before(old.EndsAt) ||
		one.StartsAt.After(old.StartsAt) && one.StartsAt.Before(old.EndsAt)
}

// restore puts alerts into memory that are not there: after a start all of them, after a
// reload those that are resolved and wait for their notification.
func (a *alerts) restore(ctx context.Context, wanted func(model.Fingerprint) bool) error {
	a.put.Lock()
	defer a.put.Unlock()
	a.mutex.Lock()
	var missing []*alert.Alert
	for fingerprint, one := range a.live {
		if wanted(fingerprint) {
			missing = append(missing, one)
		}
	}
	a.mutex.Unlock()
	return a.Alerts.Put(ctx, missing...)
}

func (a *alerts) inMemory(fingerprint model.Fingerprint) bool {
	_, err := a.Get(fingerprint)
	return err == nil
}

// settle forgets alerts that are resolved and wait for nothing.
func (a *alerts) settle(now time.Time, candidates []model.Fingerprint, waiting func(model.Fingerprint) bool) error {
	a.mutex.Lock()
	for _, fingerprint := range candidates {
		one, known := a.live[fingerprint]
		if !known || !one.ResolvedAt(now) || waiting(fingerprint) {
			continue
		}
		content, err := json.Marshal(record{Labels: one.Labels, Done: true})
		if err != nil {
			continue
		}
		delete(a.live, fingerprint)
		a.journal.Append(content)
	}
	a.mutex.Unlock()
	return a.journal.Sync()
}

// resolved returns the alerts that are resolved, and were updated before a time.
func (a *alerts) resolved(now, before time.Time) (all []model.Fingerprint) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for fingerprint, one := range a.live {
		if one.ResolvedAt(now) && one.UpdatedAt.Before(before) {
			all = append(all, fingerprint)
		}
	}
	return all
}
