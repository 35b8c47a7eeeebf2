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

// push delivers the records of a request, each in a POST of its own: those of one episode in
// order, episodes concurrently. The records that are left over are returned to exporterhelper,
// which calls push with them again.
func (e *webhookExporter) push(ctx context.Context, logs plog.Logs) error {
	d := &delivery{exporter: e, messages: messagesOf(logs)}
	d.done = make([]bool, len(d.messages))
	d.run(ctx)
	switch {
	case d.failed != nil:
		d.noteRemaining()
		err := consumererror.NewLogs(d.failed, without(logs, d.done))
		if d.delay > 0 {
			return exporterhelper.NewThrottleRetry(err, d.delay)
		}
		return err
	case d.deadLettered > 0 && d.deadLettered == len(d.messages):
		// Nothing of it was delivered, which exporterhelper is to count as failed.
		return consumererror.NewPermanent(fmt.Errorf("kept as a dead letter: %w", d.last))
	default:
		return nil
	}
}

// delivery is one pass over the records of a request.
type delivery struct {
	exporter *webhookExporter
	messages []*message

	mutex        sync.Mutex
	done         []bool // delivered, superseded or a dead letter
	deadLettered int
	last         error         // of the latest dead letter
	failed       error         // why some are left over
	delay        time.Duration // that the receiver requested
}

// run delivers the groups, `concurrency` at a time.
func (d *delivery) run(ctx context.Context) {
	var all sync.WaitGroup
	slots := make(chan struct{}, d.exporter.config.Concurrency)
	for _, group := range d.orderedGroups() {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			d.deliverGroup(ctx, group)
		})
	}
	all.Wait()
}

// orderedGroups returns the records by episode, as indexes. Records of no episode are one
// group.
func (d *delivery) orderedGroups() (groups [][]int) {
	byEpisode := map[string]int{}
	for i, m := range d.messages {
		group, known := byEpisode[m.AlertID]
		if !known {
			group = len(groups)
			byEpisode[m.AlertID] = group
			groups = append(groups, nil)
		}
		groups[group] = append(groups[group], i)
	}
	return groups
}

// deliverGroup delivers a group until a record has to be retried, in this group or another:
// a receiver that fails gets no further requests meanwhile.
func (d *delivery) deliverGroup(ctx context.Context, group []int) {
	for _, i := range group {
		if d.stopped() {
			return
		}
		d.record(i, d.exporter.deliver(ctx, d.messages[i]))
	}
}

func (d *delivery) stopped() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.failed != nil
}

func (d *delivery) record(i int, f failure) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	switch {
	case f.err == nil:
		d.done[i] = true
	case f.retry:
		d.failed, d.delay = f.err, max(d.delay, f.delay)
	default:
		d.done[i], d.last = true, f.err
		d.deadLettered++
	}
}

// noteRemaining notes the records that are left over: with a queue in memory, exporterhelper
// drops them when the collector ends.
func (d *delivery) noteRemaining() {
	if !d.exporter.queued() {
		return
	}
	for i, m := range d.messages {
		if !d.done[i] {
			d.exporter.retries.behind(m, failure{err: fmt.Errorf("behind another: %w", d.failed)})
		}
	}
}

// failure is why a record was not delivered; err is nil where it was.
type failure struct {
	err    error
	retry  bool
	auth   bool          // retried for auth_retry at most
	delay  time.Duration // before the retry, as the receiver requested
	reason string        // of the dead letter, where it is not retried
	status int           // of the response; 0: there was none
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
	errGone    = errors.New("the receiver has responded 410 Gone and accepts nothing more; configure another endpoint, or restart the collector to try again")
	errClosing = errors.New("the collector is shutting down, and the receiver was not available")
)

// deliver sends a record. Without an error in the result it was delivered or is superseded;
// otherwise it is to be retried, or has become a dead letter.
func (e *webhookExporter) deliver(ctx context.Context, m *message) failure {
	f := e.attempt(ctx, m)
	if errors.Is(f.err, errSuperseded) {
		e.telemetry.WebhookSuperseded.Add(ctx, 1)
		e.logger.Info("Record skipped: the receiver has acknowledged a newer state of its episode", zap.String("webhook_id", m.ID), zap.String("alert_id", m.AlertID))
		f = failure{}
	}
	if f.retry && !e.queued() {
		if !f.auth {
			return f
		}
		f.retry = false // exporterhelper would retry it without end
	}
	if f.retry {
		now := time.Now()
		since := e.retries.failed(m, f, now)
		reason := reasonExpired
		expired := e.expired(now.Sub(since))
		if f.auth && !expired {
			reason = reasonRefused
			expired = now.Sub(e.retries.refusedSince(m, since)) >= e.config.AuthRetry
		}
		if !expired {
			return f
		}
		f.retry, f.reason = false, reason
		f.err = fmt.Errorf("given up after %v: %w", now.Sub(since).Round(time.Millisecond), f.err)
	}
	e.retries.remove(m)
	if f.err != nil {
		e.deadLetters.keep(ctx, m, f)
	}
	return f
}

// expired reports whether a record has been retried for max_elapsed_time.
func (e *webhookExporter) expired(elapsed time.Duration) bool {
	retry := e.config.RetryConfig
	return !retry.Enabled || retry.MaxElapsedTime > 0 && elapsed >= retry.MaxElapsedTime
}

// attempt renders the payload and makes one request.
func (e *webhookExporter) attempt(ctx context.Context, m *message) failure {
	switch {
	case e.gone.Load():
		return failure{reason: reasonGone, err: errGone}
	case m.err != nil:
		return failure{reason: reasonPayload, err: m.err}
	case e.unavailable.Load():
		return failure{retry: true, err: errClosing} // each would wait for its timeout
	}
	now := time.Now()
	content, err := e.format.Render(&m.Message, now)
	if err != nil {
		return failure{reason: reasonPayload, err: err}
	}
	attempt, err := e.episodes.begin(ctx, m, now)
	if err != nil {
		return failure{err: err}
	}
	response := e.post(ctx, m.ID, now, content)
	if response.rejected() {
		e.episodes.reject(ctx, attempt)
	}
	f := response.failure()
	if f.retry && e.closing.Load() {
		e.unavailable.Store(true)
	}
	e.retries.noteRefusal(f, now)
	e.count(ctx, response, time.Since(now))
	e.status.note(f, now)
	if response.outcome == httpstatus.Gone && e.gone.CompareAndSwap(false, true) {
		e.logger.Error("Receiver responded 410 Gone; no more requests are made to it, and records become dead letters until the collector is restarted", zap.Error(response.err))
	}
	return f
}

// without returns a copy of the records that are not done.
func without(logs plog.Logs, done []bool) plog.Logs {
	rest := plog.NewLogs()
	logs.CopyTo(rest)
	i := -1
	rest.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool { i++; return done[i] })
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return rest
}
