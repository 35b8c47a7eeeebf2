// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
)

const (
	// lookEvery is how often the wall clock is looked at, and what downstream has
	// refused is offered again.
	lookEvery = time.Second
	// longestPause is how far apart two looks are at most. After a longer one we were
	// not there, or the clock was set.
	longestPause = 10 * time.Second
	// readCalendarsEvery is how soon a changed calendar file is seen.
	readCalendarsEvery = 10 * time.Second
	// maxWaitingPoints bounds the data points that wait. The oldest go first.
	maxWaitingPoints = 100_000
)

// alertQueue holds the alerts that wait for downstream, in the batches in which
// they came about.
type alertQueue struct {
	wake    chan struct{}
	next    consumer.Logs // nil when no pipeline takes alerts
	waiting []alertBatch
	refused bool // downstream did not take the latest
}

type alertBatch struct {
	number int64 // on the storage
	logs   plog.Logs
}

func (q *alertQueue) count() (n int) {
	for _, batch := range q.waiting {
		n += batch.logs.LogRecordCount()
	}
	return n
}

// pointQueue holds the metrics that wait for downstream.
type pointQueue struct {
	wake    chan struct{}
	next    consumer.Metrics // nil when no pipeline takes them
	waiting []pmetric.Metrics
}

// add tells how many points had to make room.
func (q *pointQueue) add(metrics pmetric.Metrics) (dropped int) {
	q.waiting = append(q.waiting, metrics)
	total := 0
	for _, m := range q.waiting {
		total += m.DataPointCount()
	}
	for total > maxWaitingPoints && len(q.waiting) > 1 {
		n := q.waiting[0].DataPointCount()
		q.waiting = q.waiting[1:]
		total, dropped = total-n, dropped+n
	}
	return dropped
}

// run lets alerts and points leave, looks at the wall clock, and reads calendars,
// until ctx ends.
func (e *evaluator) run(ctx context.Context) {
	e.done.Go(func() { keep(ctx, lookEvery, e.alerts.wake, e.sendAlerts) })
	e.done.Go(func() { keep(ctx, lookEvery, e.points.wake, e.sendPoints) })
	e.done.Go(func() { keep(ctx, lookEvery, nil, e.look) })
	e.done.Go(func() { keep(ctx, readCalendarsEvery, nil, e.readCalendars) })
}

// keep does something at once, whenever it is woken, and as often as said, until
// ctx ends.
func keep(ctx context.Context, every time.Duration, woken <-chan struct{}, do func(context.Context)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		do(ctx)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-tick.C:
		}
	}
}

func wake(who chan<- struct{}) {
	select {
	case who <- struct{}{}:
	default: // it is awake
	}
}

// look finds the series that fell silent, and saves what a failing storage has
// missed.
func (e *evaluator) look(ctx context.Context) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	now := time.Now()
	if pause := now.UnixMilli() - e.looked; pause < 0 || pause > longestPause.Milliseconds() {
		e.engine.Resume(now.UnixMilli())
	}
	e.looked = now.UnixMilli()
	var out engine.Outcome
	if e.alerts.count() < maxPending { // else it can wait until downstream takes alerts again
		out = e.engine.Look(now.UnixMilli())
	}
	if len(out.Alerts) > 0 || e.keeper != nil && e.keeper.Failing() {
		e.commit(ctx, out, now)
	}
}

// sendAlerts offers the alerts that wait, the oldest first. What downstream refuses
// goes on waiting.
func (e *evaluator) sendAlerts(ctx context.Context) {
	for {
		e.mutex.Lock()
		if len(e.alerts.waiting) == 0 {
			e.mutex.Unlock()
			return
		}
		batch := e.alerts.waiting[0]
		logs := plog.NewLogs()
		batch.logs.CopyTo(logs) // downstream may change what it is given, and refuse it
		e.mutex.Unlock()

		err := e.alerts.next.ConsumeLogs(ctx, logs)
		if consumererror.IsPermanent(err) {
			e.telemetry.AlertRefusedAlerts.Add(ctx, int64(batch.logs.LogRecordCount()))
			e.logger.Error("Downstream refused alerts for good", zap.Int("alerts", batch.logs.LogRecordCount()), zap.Error(err))
			err = nil
		}
		e.tellRefusal(err)
		if err != nil {
			return
		}
		e.mutex.Lock()
		e.alerts.waiting = e.alerts.waiting[1:]
		e.taken(ctx, batch.number)
		e.mutex.Unlock()
	}
}

// tellRefusal logs the begin and the end of a time in which downstream takes no
// alerts.
func (e *evaluator) tellRefusal(err error) {
	switch {
	case err != nil && !e.alerts.refused:
		e.logger.Warn("Downstream refuses alerts; they wait and are offered again", zap.Duration("every", lookEvery), zap.Error(err))
	case err == nil && e.alerts.refused:
		e.logger.Info("Downstream takes alerts again")
	}
	e.alerts.refused = err != nil
}

// sendPoints does the same with points.
func (e *evaluator) sendPoints(ctx context.Context) {
	for {
		e.mutex.Lock()
		if len(e.points.waiting) == 0 {
			e.mutex.Unlock()
			return
		}
		waiting := e.points.waiting[0]
		e.mutex.Unlock()
		metrics := pmetric.NewMetrics()
		waiting.CopyTo(metrics)

		err := e.points.next.ConsumeMetrics(ctx, metrics)
		if err != nil && !consumererror.IsPermanent(err) {
			return
		}
		if err != nil {
			e.telemetry.AlertRefusedPoints.Add(ctx, int64(waiting.DataPointCount()))
			e.logger.Error("Downstream refused baselines and thresholds for good", zap.Error(err))
		}
		e.mutex.Lock()
		if len(e.points.waiting) > 0 && e.points.waiting[0] == waiting { // it may have had to make room
			e.points.waiting = e.points.waiting[1:]
		}
		e.mutex.Unlock()
	}
}
