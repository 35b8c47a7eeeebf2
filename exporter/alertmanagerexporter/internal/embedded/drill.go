// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

// ErrRefused is returned by a Notifier for a message that its receiver refuses. The message counts
// as notified, since the same one would be refused again.
var ErrRefused = errors.New("refused by the receiver")

// Delivery is what became of one alert at an integration of a receiver.
type Delivery struct {
	Receiver, Integration string
	// Delivered is whether the receiver has accepted a notification with the alert, and After how
	// long that took.
	Delivered bool
	After     time.Duration
	Attempts  int
	// Err is why it is not delivered.
	Err error
}

// Watch follows the notifications of one alert.
type Watch struct {
	engine      *Engine
	labels      model.LabelSet
	fingerprint model.Fingerprint
	begin       time.Time

	mutex      sync.Mutex
	deliveries []Delivery
	final      []bool // there is nothing to wait for
	changed    chan struct{}
}

// Watch starts to follow an alert that is about to be Put. Its deliveries are those of the
// receivers that the configuration routes it to.
func (e *Engine) Watch(labels map[string]string) (*Watch, error) {
	current := e.current.Load()
	if current == nil {
		return nil, errors.New("not started")
	}
	set := labelSet(labels, map[string]string{})
	w := &Watch{engine: e, labels: set, fingerprint: set.Fingerprint(), begin: time.Now(), changed: make(chan struct{}, 1)}
	for _, route := range current.route.Match(set) {
		name := route.RouteOpts.Receiver
		integrations := current.receivers[name]
		for i := range integrations {
			w.expect(Delivery{Receiver: name, Integration: integrations[i].String()}, false)
		}
		if len(integrations) == 0 {
			w.expect(Delivery{Receiver: name, Err: errors.New("the receiver has no integration, and notifies nobody")}, true)
		}
	}
	e.watching.Lock()
	defer e.watching.Unlock()
	if e.watches == nil {
		e.watches = map[model.Fingerprint]*Watch{}
	}
	e.watches[w.fingerprint] = w
	return w, nil
}

// expect adds a delivery. Two routes to one receiver are two notifications, of which the first counts.
func (w *Watch) expect(d Delivery, final bool) {
	if !slices.ContainsFunc(w.deliveries, func(other Delivery) bool { return other.Receiver == d.Receiver && other.Integration == d.Integration }) {
		w.deliveries, w.final = append(w.deliveries, d), append(w.final, final)
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	w.engine.watching.Lock()
	defer w.engine.watching.Unlock()
	delete(w.engine.watches, w.fingerprint)
}

// notified records an attempt to notify.
func (e *Engine) notified(receiver, integration string, some []*alert.Alert, retry bool, err error) {
	e.watching.Lock()
	defer e.watching.Unlock()
	if len(e.watches) == 0 {
		return
	}
	for _, one := range some {
		if w := e.watches[one.Fingerprint()]; w != nil && !one.Resolved() {
			w.record(receiver, integration, retry, err)
		}
	}
}

func (w *Watch) record(receiver, integration string, retry bool, err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for i := range w.deliveries {
		d := &w.deliveries[i]
		if d.Receiver != receiver || d.Integration != integration || w.final[i] {
			continue
		}
		d.Attempts++
		d.Delivered, d.Err, d.After = err == nil, err, time.Since(w.begin)
		w.final[i] = err == nil || !retry
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Wait returns the deliveries once nothing is to be waited for, or when ctx ends, with what is
// known then.
func (w *Watch) Wait(ctx context.Context) []Delivery {
	for {
		w.mutex.Lock()
		deliveries, open := slices.Clone(w.deliveries), slices.Contains(w.final, false)
		w.mutex.Unlock()
		if !open {
			return deliveries
		}
		select {
		case <-w.changed:
		case <-ctx.Done():
			for i := range deliveries {
				if d := &deliveries[i]; !d.Delivered && d.Err == nil {
					d.Err = w.pending(context.WithoutCancel(ctx), d.Receiver)
				}
			}
			return deliveries
		}
	}
}

// pending is why a receiver was not notified in time.
func (w *Watch) pending(ctx context.Context, receiver string) error {
	current := w.engine.current.Load()
	if w.engine.silencer.Mutes(ctx, w.labels) {
		return errors.New("silenced")
	}
	if current.inhibitor.Mutes(ctx, w.labels) {
		return errors.New("inhibited by another alert")
	}
	groups, _, err := w.engine.alertGroups(ctx, func(r *dispatch.Route) bool { return r.RouteOpts.Receiver == receiver },
		func(a *alert.Alert, _ time.Time) bool { return a.Fingerprint() == w.fingerprint })
	if err != nil {
		return err
	}
	for _, group := range groups {
		if intervals, muted := w.engine.groups.Muted(group.RouteID, group.GroupKey); muted {
			return fmt.Errorf("muted by the time interval %s", strings.Join(intervals, ", "))
		}
	}
	if len(groups) == 0 {
		return errors.New("in no group; is limits::groups reached?")
	}
	return errors.New("its group waits (group_wait, or group_interval of a group that exists), or an attempt has not ended")
}
