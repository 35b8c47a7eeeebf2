// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"fmt"
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

// maxPending bounds the alerts that wait for downstream. Past it metrics are
// refused until there is room.
const maxPending = 10_000

// evaluator applies the rules of a configuration to the batches that come.
//
// One lock guards the engine and what waits; it is held while a batch is judged and
// its outcome is written to the storage, so that the storage sees one batch after
// another. Alerts and points leave from a goroutine each, so that neither a store
// that is slow nor a receiver that is gone holds up anything else.
type evaluator struct {
	id        component.ID
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	present   map[string]*presentation
	wanted    map[string]bool // metrics that a rule looks at

	mutex  sync.Mutex
	engine *engine.Engine
	files  []*calendarFile
	keeper *keeper // nil without a storage
	alerts alertQueue
	points pointQueue

	drops  *unreportedDrops
	looked int64 // at the wall clock, unix ms

	faces   int // that were made
	started int
	hosts   []component.Host
	stop    context.CancelFunc
	done    sync.WaitGroup
	close   sync.Once
}

func newEvaluator(set connector.Settings, config *Config) (*evaluator, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	rules, files, err := config.rules()
	if err != nil {
		return nil, err
	}
	present, err := config.presentations()
	if err != nil {
		return nil, err
	}
	e := &evaluator{
		id: set.ID, config: config, logger: set.Logger, telemetry: telemetry, present: present,
		wanted: map[string]bool{}, engine: engine.New(rules), files: files,
		alerts: alertQueue{wake: make(chan struct{}, 1)}, points: pointQueue{wake: make(chan struct{}, 1)},
	}
	for _, r := range rules {
		e.wanted[r.Metric] = true
	}
	e.drops = newUnreportedDrops(rules, set.Logger)
	if len(e.drops.rules) > 0 {
		e.wanted[closedMetric] = true
	}
	return e, nil
}

// start goes on where the saved state ends, once every face has started.
func (e *evaluator) start(ctx context.Context, host component.Host) error {
	e.hosts = append(e.hosts, host)
	if e.started++; e.started < e.faces {
		return nil
	}
	if err := e.observe(); err != nil { // without the lock: a collection in progress waits for it
		return err
	}
	e.config.logWarnings(e.logger)
	e.readCalendars(ctx)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	now := time.Now()
	if e.config.Storage != nil {
		if err := e.open(ctx, host, now); err != nil {
			return err
		}
	}
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx)) // it ends with Start
	e.run(ctx)
	return nil
}

// shutdown offers what waits once more. What downstream does not take is on the
// storage, or lost without one.
func (e *evaluator) shutdown(ctx context.Context) error {
	var err error
	e.close.Do(func() {
		defer e.telemetry.Shutdown()
		if e.stop != nil {
			e.stop()
			e.done.Wait()
			e.sendAlerts(ctx)
			e.sendPoints(ctx)
		}
		err = e.leave(ctx)
	})
	return err
}

// leave parts with the storage, or owns up to what is lost without one.
func (e *evaluator) leave(ctx context.Context) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	waiting := e.alerts.count()
	switch {
	case e.keeper != nil:
		if e.keeper.Failing() { // the last batches are not on it yet
			e.save(ctx, plog.NewLogs())
		}
		return e.keeper.Close(ctx)
	case waiting > 0:
		return fmt.Errorf("%d alerts are lost, downstream does not take them", waiting)
	default:
		return nil
	}
}

// consume judges a batch. What it says may be lost only before this returns.
func (e *evaluator) consume(ctx context.Context, metrics pmetric.Metrics) error {
	windows := read(metrics, e.wanted)
	if len(windows) == 0 {
		return nil
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.alerts.count() >= maxPending {
		return fmt.Errorf("%d alerts wait for downstream to take them; metrics are refused until it does", e.alerts.count())
	}
	e.drops.observe(windows)
	now := time.Now()
	e.commit(ctx, e.engine.Observe(windows, now.UnixMilli()), now)
	return nil
}

// commit saves what has come about, and lets it leave.
func (e *evaluator) commit(ctx context.Context, out engine.Outcome, now time.Time) {
	logs := e.write(ctx, out.Alerts, now)
	e.save(ctx, logs)
	if e.points.next != nil && len(out.Evaluations) > 0 {
		dropped := e.points.add(writePoints(out.Evaluations, e.present))
		e.telemetry.AlertRefusedPoints.Add(ctx, int64(dropped))
		wake(e.points.wake)
	}
	if len(e.alerts.waiting) > 0 {
		wake(e.alerts.wake)
	}
}

// write makes records of alerts, tells them in the log, and counts them.
func (e *evaluator) write(ctx context.Context, alerts []engine.Alert, now time.Time) plog.Logs {
	logs := plog.NewLogs()
	for i := range alerts {
		a := &alerts[i]
		if err := writeAlert(logs, a, e.present[a.Rule], now); err != nil {
			e.telemetry.AlertContextFailures.Add(ctx, 1)
			e.logger.Error("The context template of a rule failed; its alert is told without it", zap.String("rule", a.Rule), zap.Error(err))
		}
		e.telemetry.AlertAlerts.Add(ctx, 1, byRuleAndStatus(a.Rule, status(a)))
		e.logger.Info("Alert", zap.String("rule", a.Rule), zap.String("severity", a.Severity), zap.String("status", status(a)),
			zap.Any("series", a.Attributes.Map()), zap.Float64p("value", a.Value), zap.Float64p("threshold", a.Threshold),
			zap.Stringer("reason", a.Reason), zap.String("alert_id", a.ID))
	}
	return logs
}
