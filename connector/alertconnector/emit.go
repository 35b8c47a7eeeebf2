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
	// tickInterval is the interval of evaluations by the wall clock, and of retries of
	// what downstream has refused.
	tickInterval = time.Second
	// maxTickGap is the longest time between two ticks. After a longer one the process was
	// suspended, or the clock was set.
	maxTickGap = 10 * time.Second
	// readFilesEvery is the interval at which files are checked for changes.
	readFilesEvery = 5 * time.Second
	// maxWaitingPoints bounds the queued data points. The oldest are dropped first.
	maxWaitingPoints = 100_000
)

// alertQueue holds the alerts that are not sent yet, in the batches in which they were
// emitted.
type alertQueue struct {
	wake    chan struct{}
	next    consumer.Logs // nil without a logs pipeline
	waiting []alertBatch
	refused bool // downstream refused the latest batch
	flush   bool // unsettled alerts do not wait
}

type alertBatch struct {
	number int64 // on the storage
	logs   plog.Logs
	// alerts are those of logs while the fault domain of one is not settled, at most until then.
	alerts []engine.Alert
	until  time.Time
}

// maxUnsettled is how long alerts wait for the windows of other tenants, which decide about
// their fault domain. Windows of one time arrive within some tens of milliseconds.
const maxUnsettled = 500 * time.Millisecond

// settle decides about the fault domains of queued alerts again, after further windows. It
// returns the batches that have changed.
func (e *evaluator) settle(now time.Time) (changed []alertBatch) {
	for i := range e.alerts.waiting {
		batch := &e.alerts.waiting[i]
		if batch.alerts == nil {
			continue
		}
		different, unsettled := e.engine.Settle(batch.alerts)
		if different {
			batch.logs, _ = e.encode(batch.alerts, now) // an error was logged when they were emitted
			changed = append(changed, *batch)
		}
		if !unsettled {
			batch.alerts = nil
		}
	}
	return changed
}

func (q *alertQueue) count() (n int) {
	for _, batch := range q.waiting {
		n += batch.logs.LogRecordCount()
	}
	return n
}

// pointQueue holds the metrics that are not sent yet.
type pointQueue struct {
	wake    chan struct{}
	next    consumer.Metrics // nil without a metrics pipeline
	waiting []pmetric.Metrics
}

// add returns the number of points that were dropped to make room.
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

// run starts the goroutines that send alerts and points, advance the wall clock, and read
// changed files, until ctx ends.
func (e *evaluator) run(ctx context.Context) {
	e.done.Go(func() { runEvery(ctx, tickInterval, e.alerts.wake, e.sendAlerts) })
	e.done.Go(func() { runEvery(ctx, tickInterval, e.points.wake, e.sendPoints) })
	e.done.Go(func() { runEvery(ctx, tickInterval, nil, e.tick) })
	e.done.Go(func() { runEvery(ctx, readFilesEvery, nil, e.readFiles) })
}

// runEvery calls do at once, on each wake-up, and at each interval, until ctx ends.
func runEvery(ctx context.Context, every time.Duration, woken <-chan struct{}, do func(context.Context)) {
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
	default: // a wake-up is pending
	}
}

// tick evaluates what depends on the wall clock, as no_data, and retries to save what a
// failing storage has rejected.
func (e *evaluator) tick(ctx context.Context) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	now := time.Now()
	if pause := now.UnixMilli() - e.ticked; pause < 0 || pause > maxTickGap.Milliseconds() {
		e.engine.Resume(now.UnixMilli())
	}
	e.ticked = now.UnixMilli()
	var out engine.Outcome
	if e.alerts.count() < maxPending { // otherwise it waits until downstream accepts alerts again
		out = e.engine.Tick(now.UnixMilli())
		out.Alerts = append(out.Alerts, e.heartbeatAlerts(now)...)
	}
	if len(out.Alerts) > 0 || e.checkpoints != nil && e.checkpoints.Failing() {
		e.commit(ctx, out, now)
	}
}

// sendAlerts sends the queued alerts, oldest first. A batch that downstream refuses stays
// queued.
func (e *evaluator) sendAlerts(ctx context.Context) {
	for {
		e.mutex.Lock()
		if len(e.alerts.waiting) == 0 {
			e.mutex.Unlock()
			return
		}
		batch := &e.alerts.waiting[0]
		if wait := time.Until(batch.until); batch.alerts != nil && wait > 0 && !e.alerts.flush {
			e.mutex.Unlock()
			time.AfterFunc(wait, func() { wake(e.alerts.wake) })
			return
		}
		batch.alerts = nil
		number := batch.number
		logs := plog.NewLogs()
		count := batch.logs.LogRecordCount()
		batch.logs.CopyTo(logs) // downstream may change it, and refuse it
		e.mutex.Unlock()

		err := e.alerts.next.ConsumeLogs(ctx, logs)
		if consumererror.IsPermanent(err) {
			e.telemetry.AlertRefusedAlerts.Add(ctx, int64(count))
			e.logger.Error("Alerts refused permanently by downstream", zap.Int("alerts", count), zap.Error(err))
			err = nil
		}
		e.reportRefusal(err)
		if err != nil {
			return
		}
		e.mutex.Lock()
		e.alerts.waiting = e.alerts.waiting[1:]
		e.taken(ctx, number)
		e.mutex.Unlock()
	}
}

// reportRefusal logs the begin and the end of a time in which downstream refuses alerts.
func (e *evaluator) reportRefusal(err error) {
	switch {
	case err != nil && !e.alerts.refused:
		e.logger.Warn("Alerts refused by downstream; retrying", zap.Duration("every", tickInterval), zap.Error(err))
	case err == nil && e.alerts.refused:
		e.logger.Info("Alerts accepted by downstream again")
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
			e.logger.Error("Baselines and thresholds refused permanently by downstream", zap.Error(err))
		}
		e.mutex.Lock()
		if len(e.points.waiting) > 0 && e.points.waiting[0] == waiting { // it may have been dropped meanwhile
			e.points.waiting = e.points.waiting[1:]
		}
		e.mutex.Unlock()
	}
}
