// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// tickInterval is how often the receiver counts what was read, and looks at its
	// connections.
	tickInterval = time.Second
	// refusalError is how long downstream may go without taking a batch before that
	// is an error of the component's status.
	refusalError = 15 * time.Second
	// refusalReminder is the time between two log lines of one refusal, and of the
	// first lines of two.
	refusalReminder = time.Minute
)

// refusal is what is known of a batch that downstream does not take. One goroutine
// delivers; any may ask.
type refusal struct {
	mutex  sync.Mutex
	since  time.Time // when the batch was first offered; zero: there is none
	err    error     // the last answer; nil: the first offer is not answered
	logged time.Time // last log line that it goes on
	warned time.Time // last log line that it has begun
	shown  bool      // the log has a line of this batch
}

// begin notes that a batch is offered.
func (r *refusal) begin(now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.since, r.err, r.logged, r.shown = now, nil, now, false
}

// refused notes an answer. The first one of a batch is logged, unless the log has a
// line of another batch from the last minute.
func (r *refusal) refused(now time.Time, err error, logger *zap.Logger) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.err == nil && (r.warned.IsZero() || now.Sub(r.warned) >= refusalReminder) {
		r.warned, r.logged, r.shown = now, now, true
		logger.Warn("Downstream refuses events; nothing more is read until it takes them", zap.Error(err))
	}
	r.err = err
}

// remind logs, once a minute, that downstream still does not take a batch.
func (r *refusal) remind(now time.Time, logger *zap.Logger) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.since.IsZero() || now.Sub(r.logged) < refusalReminder {
		return
	}
	r.logged, r.shown = now, true
	fields := []zap.Field{zap.Time("since", r.since), zap.Duration("for", now.Sub(r.since))}
	if r.err != nil {
		fields = append(fields, zap.Error(r.err))
	}
	logger.Warn("Downstream still does not take events; nothing is read from the platform", fields...)
}

// end notes that the batch is delivered, or dropped.
func (r *refusal) end(now time.Time, delivered bool, logger *zap.Logger) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.shown && delivered {
		logger.Info("Downstream takes events again", zap.Time("since", r.since), zap.Duration("for", now.Sub(r.since)))
	}
	r.since, r.err = time.Time{}, nil
}

// trouble is what the status is to say of it.
func (r *refusal) trouble(now time.Time) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case r.since.IsZero() || now.Sub(r.since) < refusalError:
		return nil
	case r.err == nil:
		return fmt.Errorf("not reading: downstream has not answered since %s", r.since.UTC().Format(time.RFC3339))
	default:
		return fmt.Errorf("not reading: downstream refuses events since %s, last error: %w", r.since.UTC().Format(time.RFC3339), r.err)
	}
}

// Source names the connection.
func (c *connection) Source() string { return c.source }

// DeliveredTo is the time up to which all that the platform has sent on the
// connection is delivered: now, or the arrival of the first record that is not, or
// since when the socket was not read, which lasts until what waited in its buffers
// is read.
func (c *connection) DeliveredTo(now time.Time) time.Time {
	// A frame is read, then filled into a batch, then delivered: in that order it
	// cannot be missed.
	read := c.session.ReadTo(now)
	if delivered := c.batcher.deliveredTo(now); delivered.Before(read) {
		return delivered
	}
	return read
}

// tick updates the status and the metrics. It does not wait for a frame that is decoded:
// connections of one conversation tracker wait for each other within a frame, for as long
// as downstream refuses, and the status has to show that.
func (c *connection) tick(now time.Time) {
	c.delivery.refusal.remind(now, c.logger)
	c.status.set(c.number, downstreamTrouble, c.delivery.refusal.trouble(now))
	c.checkHealth(now)
	ctx := context.Background()
	c.telemetry.CcaasWsBackpressureTime.Add(ctx, c.batcher.blocked.take(now).Seconds())
	read, warning := c.batcher.uncounted(now)
	c.delivery.count(ctx, &read)
	if warning != nil {
		c.warnUnmatched(now, warning)
	}
}
