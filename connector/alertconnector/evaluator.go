// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadata"
)

// maxPending bounds the queued alerts. Beyond it metrics are refused.
const maxPending = 10_000

// evaluator applies the rules of a configuration to batches of metrics.
//
// One lock guards the engine and the queues. It is held while a batch is evaluated and its
// outcome is written to the storage, so that the storage gets one batch after another.
// Alerts and points are sent by a goroutine each, so that neither a slow store nor an
// unavailable receiver delays the other.
type evaluator struct {
	id        component.ID
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	watch     rulesWatch

	mutex       sync.Mutex
	set         *ruleSet
	engine      *engine.Engine
	checkpoints *checkpointStore // nil without a storage
	beat        *beat            // nil without a heartbeat
	alerts      alertQueue
	points      pointQueue

	ticked int64 // at the wall clock, unix ms

	components int // that share it
	started    int
	hosts      []component.Host
	stop       context.CancelFunc
	done       sync.WaitGroup
	close      sync.Once
}

func newEvaluator(set connector.Settings, config *Config) (*evaluator, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	effective, text, err := config.effective()
	if err != nil {
		return nil, err
	}
	rules, err := newRuleSet(effective, set.Logger)
	if err != nil {
		return nil, err
	}
	beat := newBeat(config)
	beat.want(rules.wanted)
	return &evaluator{
		id: set.ID, config: config, logger: set.Logger, telemetry: telemetry,
		watch: rulesWatch{applied: text, latest: text}, set: rules, engine: engine.New(rules.rules), beat: beat,
		alerts: alertQueue{wake: make(chan struct{}, 1)}, points: pointQueue{wake: make(chan struct{}, 1)},
	}, nil
}

// rules returns the rules in force.
func (e *evaluator) rules() *ruleSet {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.set
}

// readFiles reads the rules and the calendars that have changed.
func (e *evaluator) readFiles(ctx context.Context) {
	e.readRules(ctx)
	e.readCalendars(ctx)
}

// start continues from the saved state, once each component that shares the evaluator has
// started.
func (e *evaluator) start(ctx context.Context, host component.Host) error {
	e.hosts = append(e.hosts, host)
	if e.started++; e.started < e.components {
		return nil
	}
	if err := e.observe(); err != nil { // not under the lock, which a collection in progress acquires
		return err
	}
	e.rules().config.logWarnings(e.logger)
	if e.config.RulesFile != "" {
		rulesInForce.Keep(e.config.RulesFile, e.watch.applied)
	}
	e.readCalendars(ctx)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	now := time.Now()
	if e.config.Storage != nil {
		if err := e.open(ctx, host, now); err != nil {
			return err
		}
	}
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx)) // ctx ends with Start
	e.run(ctx)
	return nil
}

// shutdown tries once more to send what is queued. What downstream refuses is on the
// storage, or lost without one.
func (e *evaluator) shutdown(ctx context.Context) error {
	var err error
	e.close.Do(func() {
		defer e.telemetry.Shutdown()
		if e.stop != nil {
			e.stop()
			e.done.Wait()
			e.alerts.flush = true
			e.sendAlerts(ctx)
			e.sendPoints(ctx)
		}
		err = e.leave(ctx)
	})
	return err
}

// leave closes the storage client; without storage it returns the number of undelivered
// alerts as an error.
func (e *evaluator) leave(ctx context.Context) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	waiting := e.alerts.count()
	switch {
	case e.checkpoints != nil:
		if e.checkpoints.Failing() { // the last batches are not on it yet
			e.save(ctx, plog.NewLogs())
		}
		return e.checkpoints.Close(ctx)
	case waiting > 0:
		return fmt.Errorf("%d alerts are lost: downstream did not accept them", waiting)
	default:
		return nil
	}
}

// consume evaluates a batch. A crash after it has returned loses nothing of its outcome.
func (e *evaluator) consume(ctx context.Context, metrics pmetric.Metrics) error {
	set := e.rules()
	windows := read(metrics, set.wanted)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if set != e.set { // other rules may use other metrics
		set = e.set
		windows = read(metrics, set.wanted)
	}
	if len(windows) == 0 {
		return nil
	}
	if e.alerts.count() >= maxPending {
		return fmt.Errorf("%d alerts are queued; metrics are refused until downstream accepts alerts", e.alerts.count())
	}
	set.drops.observe(windows)
	now := time.Now()
	e.observeStreams(windows, now)
	e.commit(ctx, e.engine.Observe(windows, now.UnixMilli()), now)
	return nil
}

// commit saves an outcome and queues it.
func (e *evaluator) commit(ctx context.Context, out engine.Outcome, now time.Time) {
	settled := e.settle(now)
	e.save(ctx, e.write(ctx, out.Alerts, now), settled...)
	e.hold(out.Alerts, now)
	if e.points.next != nil && len(out.Evaluations) > 0 {
		dropped := e.points.add(writePoints(out.Evaluations, e.set.templates))
		e.telemetry.AlertRefusedPoints.Add(ctx, int64(dropped))
		wake(e.points.wake)
	}
	if len(e.alerts.waiting) > 0 {
		wake(e.alerts.wake)
	}
}

// hold lets the latest batch wait while the fault domain of one of its alerts is not settled.
func (e *evaluator) hold(alerts []engine.Alert, now time.Time) {
	if n := len(e.alerts.waiting); n > 0 && slices.ContainsFunc(alerts, func(a engine.Alert) bool { return a.Unsettled }) {
		e.alerts.waiting[n-1].alerts, e.alerts.waiting[n-1].until = alerts, now.Add(maxUnsettled)
	}
}

// encode converts alerts to records. The errors are those of context templates, by alert.
func (e *evaluator) encode(alerts []engine.Alert, now time.Time) (plog.Logs, []error) {
	logs, failed := plog.NewLogs(), make([]error, len(alerts))
	for i := range alerts {
		failed[i] = writeAlert(logs, &alerts[i], e.set.templates[alerts[i].Rule], now)
	}
	return logs, failed
}

// write converts alerts to records, and logs and counts them.
func (e *evaluator) write(ctx context.Context, alerts []engine.Alert, now time.Time) plog.Logs {
	for i := range alerts {
		alerts[i].ID = episodeOf(e.id, alerts[i].ID)
	}
	logs, failed := e.encode(alerts, now)
	for i := range alerts {
		a := &alerts[i]
		if err := failed[i]; err != nil {
			e.telemetry.AlertContextFailures.Add(ctx, 1)
			e.logger.Error("Context template failed; alert emitted without it", zap.String("rule", a.Rule), zap.Error(err))
		}
		e.telemetry.AlertAlerts.Add(ctx, 1, byRuleAndStatus(a.Rule, status(a)))
		e.logger.Log(e.beat.level(a.Rule), "Alert", zap.String("rule", a.Rule), zap.String("severity", a.Severity), zap.String("status", status(a)),
			zap.Any("series", a.Attributes.Map()), zap.Float64p("value", a.Value), zap.Float64p("threshold", a.Threshold),
			zap.Stringer("reason", a.Reason), zap.String("alert_id", a.ID))
	}
	return logs
}
