// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// push delivers the records of a request, each in a POST of its own. Records of one
// episode go one after the other, others beside each other. Those that are left over
// it hands back to exporterhelper, which comes again with them.
func (e *webhookExporter) push(ctx context.Context, logs plog.Logs) error {
	d := &dispatch{exporter: e, messages: messagesOf(logs)}
	d.settled = make([]bool, len(d.messages))
	d.run(ctx)
	switch {
	case d.failed != nil:
		d.leaveWaiting()
		err := consumererror.NewLogs(d.failed, without(logs, d.settled))
		if d.pause > 0 {
			return exporterhelper.NewThrottleRetry(err, d.pause)
		}
		return err
	case d.given > 0 && d.given == len(d.messages):
		// Nothing of it was delivered, which exporterhelper counts as what it is.
		return consumererror.NewPermanent(fmt.Errorf("kept as a dead letter: %w", d.last))
	default:
		return nil
	}
}

// dispatch is one go at the records of a request.
type dispatch struct {
	exporter *webhookExporter
	messages []*message

	mutex   sync.Mutex
	settled []bool        // delivered, or a dead letter
	given   int           // dead letters
	last    error         // of the latest dead letter
	failed  error         // why some are left over
	pause   time.Duration // that the receiver asked for
}

// run goes through the lanes, some at a time, and returns when all are done.
func (d *dispatch) run(ctx context.Context) {
	var all sync.WaitGroup
	slots := make(chan struct{}, d.exporter.config.Concurrency)
	for _, lane := range d.lanes() {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			d.walk(ctx, lane)
		})
	}
	all.Wait()
}

// lanes are the records by episode, as indexes. Records of none are one lane.
func (d *dispatch) lanes() (lanes [][]int) {
	byEpisode := map[string]int{}
	for i, m := range d.messages {
		lane, known := byEpisode[m.AlertID]
		if !known {
			lane = len(lanes)
			byEpisode[m.AlertID] = lane
			lanes = append(lanes, nil)
		}
		lanes[lane] = append(lanes[lane], i)
	}
	return lanes
}

// walk goes through a lane until something fails that is to be tried again, there
// or in another lane: a receiver in trouble is left alone.
func (d *dispatch) walk(ctx context.Context, lane []int) {
	for _, i := range lane {
		if d.stopped() {
			return
		}
		d.settle(i, d.exporter.deliver(ctx, d.messages[i]))
	}
}

func (d *dispatch) stopped() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.failed != nil
}

func (d *dispatch) settle(i int, f failure) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	switch {
	case f.err == nil:
		d.settled[i] = true
	case f.again:
		d.failed, d.pause = f.err, max(d.pause, f.pause)
	default:
		d.settled[i], d.last = true, f.err
		d.given++
	}
}

// leaveWaiting notes what is left over, for it is lost to exporterhelper when the
// collector ends and the queue is in memory.
func (d *dispatch) leaveWaiting() {
	if !d.exporter.queued() {
		return
	}
	for i, m := range d.messages {
		if !d.settled[i] {
			d.exporter.waiting.behind(m, failure{err: fmt.Errorf("behind another: %w", d.failed)})
		}
	}
}

// failure is why a record was not delivered; none where err is nil.
type failure struct {
	err    error
	again  bool          // it is to be tried again
	auth   bool          // for as long as auth_retry
	pause  time.Duration // not before
	reason string        // of the dead letter, where not
	status int           // of the answer; 0: there was none
	config bool          // the endpoint is wrong, rather than the record
}

// Reasons of dead letters, as in own telemetry.
const (
	reasonPayload   = "payload"
	reasonRedirect  = "redirect"
	reasonRefused   = "refused"
	reasonGone      = "gone"
	reasonExpired   = "expired"
	reasonQueueFull = "queue_full"
	reasonShutdown  = "shutdown"
)

var (
	errGone    = errors.New("the receiver answered 410 Gone and wants nothing more; give another endpoint, or restart the collector to try again")
	errClosing = errors.New("the collector is shutting down, and the receiver was not to be had")
)

// deliver sees to a record: it is delivered, or a dead letter, or the failure says
// that it is to be tried again.
func (e *webhookExporter) deliver(ctx context.Context, m *message) failure {
	f := e.attempt(ctx, m)
	if f.again && !e.queued() {
		if !f.auth {
			return f
		}
		f.again = false // exporterhelper would retry it for ever
	}
	if f.again {
		now := time.Now()
		since := e.waiting.failed(m, f, now)
		reason := reasonExpired
		expired := e.expired(now.Sub(since))
		if f.auth && !expired {
			reason = reasonRefused
			expired = now.Sub(e.refusal.start(m, since)) >= e.config.AuthRetry
		}
		if !expired {
			return f
		}
		f.again, f.reason = false, reason
		f.err = fmt.Errorf("given up after %v: %w", now.Sub(since).Round(time.Millisecond), f.err)
	}
	e.waiting.remove(m)
	if f.err != nil {
		e.letters.keep(ctx, m, f)
	}
	return f
}

// refusal is the time since which the receiver refuses our credentials, or responds
// with a body that success_body does not match.
type refusal struct {
	mutex sync.Mutex
	since time.Time // zero: it does not
}

func (r *refusal) note(f failure, now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case !f.auth:
		r.since = time.Time{}
	case r.since.IsZero():
		r.since = now
	}
}

// start is when auth_retry began for a record: when the refusals did, or when the
// record arrived, whichever is later. Records that wait in the queue meanwhile do not
// each begin anew.
func (r *refusal) start(m *message, firstFailure time.Time) time.Time {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	arrived := firstFailure
	if m.observed.Before(arrived) { // a record may come from a clock that is ahead
		arrived = m.observed
	}
	if arrived.Before(r.since) {
		return r.since
	}
	return arrived
}

// expired tells whether a record has been tried for long enough.
func (e *webhookExporter) expired(tried time.Duration) bool {
	retry := e.config.RetryConfig
	return !retry.Enabled || retry.MaxElapsedTime > 0 && tried >= retry.MaxElapsedTime
}

// attempt makes the payload, and a request of it.
func (e *webhookExporter) attempt(ctx context.Context, m *message) failure {
	switch {
	case e.gone.Load():
		return failure{reason: reasonGone, err: errGone}
	case m.err != nil:
		return failure{reason: reasonPayload, err: m.err}
	case e.absent.Load():
		return failure{again: true, err: errClosing} // each would wait for its timeout
	}
	now := time.Now()
	content, err := e.format.Render(&m.Message, now)
	if err != nil {
		return failure{reason: reasonPayload, err: err}
	}
	answer := e.post(ctx, m.ID, now, content)
	f := answer.failure()
	if f.again && e.closing.Load() {
		e.absent.Store(true)
	}
	e.refusal.note(f, now)
	e.count(ctx, answer, time.Since(now))
	e.status.note(f, now)
	if answer.verdict == httpstatus.Gone && e.gone.CompareAndSwap(false, true) {
		e.logger.Error("The receiver wants nothing more. No more requests are made to it; records become dead letters until the collector is restarted", zap.Error(answer.err))
	}
	return f
}

// without is a copy of the records that are not settled.
func without(logs plog.Logs, settled []bool) plog.Logs {
	rest := plog.NewLogs()
	logs.CopyTo(rest)
	i := -1
	rest.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool { i++; return settled[i] })
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return rest
}
