// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package embedded runs an Alertmanager in the process: routing, grouping, inhibition,
// silences, mute intervals, receivers and its API. It is the only package that uses
// Alertmanager's packages, whose signatures change with each release.
//
// Upstream keeps alerts in memory, and writes silences and the notification log every 15
// minutes. Here all three are in journals: Put, the API and the notification log return
// when the change is on disk.
//
//   - engine.go: lifecycle and maintenance
//   - generation.go: what a configuration builds, and a new one replaces
//   - alerts.go: alerts that survive a kill until their last notification is delivered
//   - state.go: silences and notification log on disk
//   - notifier.go: our own notifiers in Alertmanager's pipeline
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	apiv2 "github.com/prometheus/alertmanager/api/v2"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/tsdb/fileutil"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/journal"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
)

// Options are what an Engine is made of.
type Options struct {
	// Directory keeps the state. One process uses it.
	Directory string
	// Retention is how long silences are kept after their end, and notifications in the log.
	Retention time.Duration
	// ExternalURL is the URL of the API in notifications.
	ExternalURL *url.URL
	// MaxAlerts, MaxGroups and MaxSilences bound the memory.
	MaxAlerts, MaxGroups, MaxSilences int
	// Webhooks are our notifiers by receiver.
	Webhooks map[string]Notifier
	// OnNotify is called with the result of each attempt to notify. Where retry is false, an error
	// is one that the next attempt would have as well.
	OnNotify func(receiver, integration string, retry bool, err error)
	// OnWrite is called with the result of each write of silences and the notification log.
	OnWrite func(err error)
	Logger  *slog.Logger
	// Registry gets Alertmanager's metrics; it belongs to one Engine.
	Registry *prometheus.Registry
}

// Engine is a running Alertmanager.
type Engine struct {
	options Options
	lock    fileutil.Releaser

	memory            *mem.Alerts
	alerts            *alerts
	log               *notificationLog
	silences          *silences
	silencer          *silence.Silencer
	groups            marker.GroupMarker
	pipeline          *notify.PipelineBuilder
	dispatcherMetrics *dispatch.DispatcherMetrics
	api               *apiv2.API

	applying sync.Mutex
	closed   bool
	current  atomic.Pointer[generation]

	watching sync.Mutex
	watches  map[model.Fingerprint]*Watch

	settling chan struct{} // there are candidates
	pending  struct {
		sync.Mutex

		candidates map[model.Fingerprint]bool
	}
	stop    chan struct{}
	stopped sync.WaitGroup
}

// Intervals of maintenance.
const (
	alertGC     = 10 * time.Second // resolved alerts leave memory; their groups still hold them
	settleDelay = 100 * time.Millisecond
	rewriting   = 10 * time.Second // what a full disk did not take is written when it has room
	reconcile   = time.Minute
	stateGC     = 15 * time.Minute
)

// byReceiver counts notifications by receiver, and not only by kind of integration.
type byReceiver struct{ featurecontrol.NoopFlags }

// EnableReceiverNamesInMetrics implements featurecontrol.Flagger.
func (byReceiver) EnableReceiverNamesInMetrics() bool { return true }

// initMatchers sets upstream's matcher parser, which is global.
var initMatchers = sync.OnceFunc(func() {
	compat.InitFromFlags(slog.New(slog.DiscardHandler), featurecontrol.NoopFlags{})
})

// building is held while an API is made: upstream completes the description of its API, which
// is global, while it does so.
var building sync.Mutex

// Open reads the state from the directory. Apply starts notifications.
func Open(options Options) (_ *Engine, err error) {
	initMatchers()
	e := &Engine{
		options: options, groups: marker.NewGroupMarker(),
		settling: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	e.pending.candidates = map[model.Fingerprint]bool{}
	if err = os.MkdirAll(options.Directory, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(options.Directory, lockFile)
	if err = prepareLock(path); err != nil {
		return nil, err
	}
	if e.lock, _, err = fileutil.Flock(path); err != nil {
		return nil, fmt.Errorf("%s: in use by another process or component: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.release())
		}
	}()
	if e.log, err = openNotificationLog(&e.options); err != nil {
		return nil, fmt.Errorf("notification log: %w", err)
	}
	if e.silences, err = openSilences(&e.options); err != nil {
		return nil, fmt.Errorf("silences: %w", err)
	}
	nothing := eventrecorder.NopRecorder()
	e.silencer = silence.NewSilencer(e.silences.Silences, options.Logger, nothing)
	e.memory, err = mem.NewAlerts(context.Background(), alertGC, 0, e.silencer, options.Logger, nothing, options.Registry, featurecontrol.NoopFlags{})
	if err != nil {
		return nil, err
	}
	if e.alerts, err = openAlerts(e.memory, &e.options); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	e.pipeline = notify.NewPipelineBuilder(options.Registry, byReceiver{}, nothing)
	e.dispatcherMetrics = dispatch.NewDispatcherMetrics(false, options.Registry, featurecontrol.NoopFlags{})
	building.Lock()
	e.api, err = apiv2.NewAPI(e.alerts, e.alertGroups, e.groups.Muted, e.silences.Silences, nil, options.Logger.With("component", "api"), options.Registry)
	building.Unlock()
	if err != nil {
		return nil, fmt.Errorf("API: %w", err)
	}
	e.stopped.Go(e.maintain)
	return e, nil
}

// prepareLock makes the file that is locked, or is an error for something else in its place.
func prepareLock(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return journal.Regular(path)
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// Rejected are errors for alerts that Put left out.
type Rejected struct {
	// Invalid are alerts that Alertmanager does not take.
	Invalid []error
	// Limit are new alerts beyond MaxAlerts.
	Limit []error
}

// Put adds alerts. It returns when they are on disk; an error means that none is certain to
// be, and that the same alerts can be put again.
func (e *Engine) Put(ctx context.Context, some []promalert.Alert) (rejected Rejected, err error) {
	now := time.Now()
	all, shared := make([]*alert.Alert, 0, len(some)), map[string]string{}
	for _, one := range some {
		a := &alert.Alert{
			Alert:     model.Alert{Labels: labelSet(one.Labels, shared), Annotations: labelSet(one.Annotations, shared), StartsAt: one.StartsAt, EndsAt: one.EndsAt},
			UpdatedAt: now,
		}
		if err := a.Validate(); err != nil {
			rejected.Invalid = append(rejected.Invalid, fmt.Errorf("alert %s: %w", one.Annotations[promalert.AnnotationID], err))
			continue
		}
		all = append(all, a)
	}
	over, err := e.alerts.add(ctx, all)
	for _, one := range over {
		rejected.Limit = append(rejected.Limit, fmt.Errorf("alert %s: %w: %d (limits::alerts)", one.Annotations[promalert.AnnotationID], ErrLimit, e.options.MaxAlerts))
	}
	return rejected, err
}

// labelSet returns the labels that have a value. Equal texts are kept once in shared: alerts of one outage have
// most of them in common.
func labelSet[Name, Value ~string](from map[Name]Value, shared map[string]string) model.LabelSet {
	once := func(text string) string {
		if _, known := shared[text]; !known {
			shared[text] = text
		}
		return shared[text]
	}
	set := make(model.LabelSet, len(from))
	for name, value := range from {
		if value != "" {
			set[model.LabelName(once(string(name)))] = model.LabelValue(once(string(value)))
		}
	}
	return set
}

// Handler serves /api/v2. A change of a silence is on disk when it is confirmed.
func (e *Engine) Handler() http.Handler {
	return bounded(e.silences.stored, durably(e.write, e.api.Handler))
}

// write writes what is not on disk of the silences and the notification log.
func (e *Engine) write() error {
	err := errors.Join(e.silences.journal.Sync(), e.log.journal.Sync())
	e.options.OnWrite(err)
	return err
}

// alertGroups implements the function that the API wants.
func (e *Engine) alertGroups(ctx context.Context, route func(*dispatch.Route) bool, filter func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
	current := e.current.Load()
	if current == nil {
		return nil, nil, errors.New("not started")
	}
	return current.dispatcher.Groups(ctx, route, filter)
}

// flushed is called after a group's notification: resolved alerts may be forgotten now.
func (e *Engine) flushed(some []*alert.Alert) {
	e.pending.Lock()
	for _, one := range some {
		if one.Resolved() {
			e.pending.candidates[one.Fingerprint()] = true
		}
	}
	waiting := len(e.pending.candidates) > 0
	e.pending.Unlock()
	if waiting {
		select {
		case e.settling <- struct{}{}:
		default:
		}
	}
}

// maintain runs until stop.
func (e *Engine) maintain() {
	reconciling, collecting, writing := time.NewTicker(reconcile), time.NewTicker(stateGC), time.NewTicker(rewriting)
	defer reconciling.Stop()
	defer writing.Stop()
	defer collecting.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-e.settling:
			select { // the group removes its resolved alerts after the notification
			case <-e.stop:
				return
			case <-time.After(settleDelay):
			}
			e.settle()
		case now := <-reconciling.C:
			e.reconcile(now)
		case <-writing.C:
			_ = e.write() // reported
		case <-collecting.C:
			gc(e.log, e.silences, e.options.Logger)
			if err := e.alerts.journal.Compact(); err != nil {
				e.options.Logger.Error("Maintenance failed", "step", "compaction of "+alertsFile, "err", err)
			}
		}
	}
}

// settle forgets the alerts that were notified as resolved.
func (e *Engine) settle() {
	e.pending.Lock()
	candidates := make([]model.Fingerprint, 0, len(e.pending.candidates))
	for fingerprint := range e.pending.candidates {
		candidates = append(candidates, fingerprint)
	}
	clear(e.pending.candidates)
	e.pending.Unlock()
	e.forget(candidates)
}

func (e *Engine) forget(candidates []model.Fingerprint) {
	grouped, _, err := e.grouped()
	if err == nil {
		err = e.alerts.settle(time.Now(), candidates, func(f model.Fingerprint) bool { return grouped[f] })
	}
	if err != nil {
		e.options.Logger.Error("Resolved alerts stay on disk", "err", err)
	}
}

// grouped returns the alerts that are in a group, and the number of groups.
func (e *Engine) grouped() (map[model.Fingerprint]bool, int, error) {
	groups, _, err := e.alertGroups(context.Background(), func(*dispatch.Route) bool { return true }, func(*alert.Alert, time.Time) bool { return true })
	if err != nil {
		return nil, 0, err
	}
	all := map[model.Fingerprint]bool{}
	for _, group := range groups {
		for _, one := range group.Alerts {
			all[one.Fingerprint()] = true
		}
	}
	return all, len(groups), nil
}

// reconcile gives alerts to the dispatcher again that are in no group, since the limit of
// groups was reached, and forgets resolved ones that no group holds any more.
func (e *Engine) reconcile(now time.Time) {
	e.applying.Lock()
	defer e.applying.Unlock()
	e.forget(e.alerts.resolved(now, now.Add(-reconcile)))
	grouped, count, err := e.grouped()
	if err != nil || count >= e.options.MaxGroups {
		return
	}
	left := e.options.MaxGroups - count
	err = e.alerts.restore(context.Background(), func(f model.Fingerprint) bool {
		if grouped[f] || left <= 0 {
			return false
		}
		left--
		return true
	})
	if err != nil {
		e.options.Logger.Error("Alerts without a group could not be restored", "err", err)
	}
}

// Close ends notifications and writes the state.
func (e *Engine) Close() error {
	e.applying.Lock()
	if e.closed {
		e.applying.Unlock()
		return nil
	}
	e.closed = true
	e.current.Load().stop()
	e.applying.Unlock()
	close(e.stop)
	e.stopped.Wait()
	return e.release()
}

func (e *Engine) release() error {
	var errs []error
	if e.memory != nil {
		e.memory.Close()
	}
	if e.alerts != nil && e.alerts.journal != nil {
		errs = append(errs, e.alerts.journal.Close())
	}
	if e.silences != nil && e.silences.journal != nil {
		errs = append(errs, e.silences.journal.Close())
	}
	if e.log != nil && e.log.journal != nil {
		errs = append(errs, e.log.journal.Close())
	}
	return errors.Join(append(errs, e.lock.Release())...)
}
