// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// connection converts the callbacks of a session into log records: frames into events,
// and changes of the session into stream records. All records go through one batcher, in
// order.
type connection struct {
	number    int
	source    string
	session   *wsclient.Session
	batcher   *batcher
	delivery  *delivery
	streams   *streams
	status    *status
	failures  *failureLog // of all connections
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	backoff   wsclient.Backoff

	lastActivity time.Time // of the platform; before the first, the start of the receiver
	heartbeat    heartbeat
	down         wsclient.Cause // why no socket is up; empty: one is, or there was no attempt yet
	newestUp     time.Time      // when the newest socket was opened
	churnLogged  time.Time      // the last log line of rotations that are too frequent

	healthMutex sync.Mutex // the session reports changes, and the monitor reads
	health      health
	reconciler  *reconciler // nil: it is off
	up          atomic.Bool // a socket is
	idle        func() bool // whether the session has nothing to connect for; nil: never

	mutex  sync.Mutex         // two sockets may be read at once
	pieces *jsonevent.Decoder // of frames that are too large
}

var _ wsclient.Handler = (*connection)(nil)

// Connected emits stream.connected, and stream.gap after a time without a socket.
func (c *connection) Connected(at time.Time, roundTrip time.Duration) {
	ctx := context.Background()
	c.telemetry.CcaasWsConnects.Add(ctx, 1)
	c.telemetry.CcaasWsConnections.Add(ctx, 1)
	c.newestUp = at
	c.up.Store(true)
	c.failures.connected(c.number)
	c.updateHealth(at, func(h *health) { h.connected(at) })
	streams := c.streams.current(at)
	var gap time.Duration
	if c.down != "" {
		gap = at.Sub(c.lastActivity)
		c.telemetry.CcaasWsReconnects.Add(ctx, 1, causeAttribute(c.down))
		c.emitGap(streams, c.lastActivity, at, c.down)
	}
	for _, one := range streams {
		c.batcher.stream(wsevent.StreamConnected, one, at, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.StreamConnection, int64(c.number))
			record.Attributes().PutDouble(wsevent.StreamRoundTrip, float64(roundTrip)/float64(time.Millisecond))
			if c.heartbeat.interval > 0 {
				record.Attributes().PutInt(wsevent.AliveInterval, c.heartbeat.interval.Milliseconds())
			}
		})
	}
	if c.reconciler != nil {
		c.reconciler.gaps.connected(c.number, at)
	}
	c.logger.Info("Connected", zap.Duration("gap", gap))
	c.down, c.lastActivity = "", at
	c.heartbeat.start(at, c.session.ReadTo, c.emitHeartbeat)
}

// emitGap emits stream.gap for a time in which events may be lost.
func (c *connection) emitGap(streams []stream, from, to time.Time, cause wsclient.Cause) {
	c.telemetry.CcaasWsGapTime.Add(context.Background(), to.Sub(from).Seconds())
	c.session.RecordGap(from, to, cause)
	if c.reconciler != nil {
		c.reconciler.gaps.add(from, to)
	}
	for _, one := range streams {
		c.batcher.stream(wsevent.StreamGap, one, to, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.GapStart, from.UnixMilli())
			record.Attributes().PutInt(wsevent.GapEnd, to.UnixMilli())
			record.Attributes().PutStr(wsevent.StreamCause, string(cause))
		})
	}
}

// emitHeartbeat emits stream.alive for each stream.
func (c *connection) emitHeartbeat(at time.Time, since time.Duration) {
	for _, one := range c.streams.current(at) {
		c.batcher.stream(wsevent.StreamAlive, one, at, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.StreamConnection, int64(c.number))
			record.Attributes().PutInt(wsevent.AliveInterval, since.Milliseconds())
		})
	}
}

// Failed records a failed attempt. The stream.gap record after the next connection has
// its cause. Of the connections that fail for one cause, one logs.
func (c *connection) Failed(failure *wsclient.Failure, wait time.Duration) {
	c.telemetry.CcaasWsConnectFailures.Add(context.Background(), 1, causeAttribute(failure.Cause))
	if c.down == "" {
		c.down = failure.Cause
	}
	c.updateHealth(time.Now(), func(h *health) { h.failed(failure) })
	logged, failing := c.failures.failed(c.number, failure.Cause)
	if !logged {
		return
	}
	fields := []zap.Field{zap.Error(failure), zap.String("cause", string(failure.Cause)), zap.Duration("next_attempt_in", wait)}
	if failing > 1 {
		fields = append(fields, zap.Int("failing_connections", failing))
	}
	if failure.RetryAfter > 0 {
		fields = append(fields, zap.Duration("retry_after", failure.RetryAfter))
	}
	if failure.Permanent {
		c.logger.Error("Cannot connect because of the configuration; retrying at the maximum interval", fields...)
		return
	}
	c.logger.Warn("Cannot connect; retrying", fields...)
}

// Rotated records a new socket beside the old one. There is no gap, and no record.
func (c *connection) Rotated(cause wsclient.Cause, at time.Time) {
	ctx := context.Background()
	c.telemetry.CcaasWsConnections.Add(ctx, 1)
	c.telemetry.CcaasWsRotations.Add(ctx, 1, causeAttribute(cause))
	c.failures.connected(c.number)
	c.updateHealth(at, func(h *health) { h.rotated() })
	c.logChurn(cause, at)
	c.newestUp = at
	c.lastActivity = at
	c.logger.Info("A new socket is up beside the old one, which is closed after the overlap", zap.String("cause", string(cause)))
}

// NotRotated records a failed rotation.
func (c *connection) NotRotated(cause wsclient.Cause, failure *wsclient.Failure, wait time.Duration) {
	c.telemetry.CcaasWsConnectFailures.Add(context.Background(), 1, causeAttribute(failure.Cause))
	c.updateHealth(time.Now(), func(h *health) { h.notRotated(failure) })
	if logged, failing := c.failures.failed(c.number, failure.Cause); logged {
		c.logger.Warn("Cannot open a new socket beside the old one, which still works; retrying", zap.String("cause", string(cause)),
			zap.Error(failure), zap.Duration("next_attempt_in", wait), zap.Int("failing_connections", failing))
	}
}

// Replaced records the end of one of two sockets. Where it was not graceful, its last
// events may be lost, which is a gap.
func (c *connection) Replaced(end *wsclient.End) {
	c.telemetry.CcaasWsConnections.Add(context.Background(), -1)
	if end.Graceful() && end.Unread.IsZero() {
		c.logger.Debug("The old socket is closed", zap.String("cause", string(end.Cause)))
		return
	}
	c.telemetry.CcaasWsDisconnects.Add(context.Background(), 1, causeAttribute(end.Cause))
	from := end.LastActivity
	if !end.Unread.IsZero() {
		from = end.Unread
	}
	c.emitGap(c.streams.current(end.At), from, end.At, end.Cause)
	c.lastActivity = end.At
	c.logger.Warn("One of two sockets ended before it was closed", zap.String("cause", string(end.Cause)), zap.NamedError("detail", end.Err))
}

// Disconnected emits stream.disconnected.
func (c *connection) Disconnected(end *wsclient.End, wait time.Duration) {
	ctx := context.Background()
	c.telemetry.CcaasWsConnections.Add(ctx, -1)
	c.telemetry.CcaasWsDisconnects.Add(ctx, 1, causeAttribute(end.Cause))
	c.heartbeat.stop()
	c.up.Store(false)
	c.down = end.Cause
	if end.LastActivity.After(c.lastActivity) {
		c.lastActivity = end.LastActivity
	}
	streams := c.streams.current(end.At)
	if !end.Unread.IsZero() { // windows wait for events since then: the gap has to reach them first
		c.emitGap(streams, end.Unread, end.At, end.Cause)
		c.lastActivity = end.At
	}
	if c.reconciler != nil {
		since := c.lastActivity
		if end.Cause == wsclient.Shutdown { // closed by us: everything was read
			since = end.At
		}
		c.reconciler.gaps.lost(c.number, since)
	}
	for _, one := range streams {
		c.batcher.stream(wsevent.StreamDisconnected, one, end.At, func(record plog.LogRecord) {
			record.Attributes().PutStr(wsevent.StreamCause, string(end.Cause))
			record.Attributes().PutInt(wsevent.StreamConnection, int64(c.number))
			if end.Code != 0 {
				record.Attributes().PutInt(wsevent.CloseCode, int64(end.Code))
			}
		})
	}
	if end.Cause == wsclient.Shutdown {
		c.logger.Info("Disconnected", zap.String("cause", string(end.Cause)))
		return
	}
	c.updateHealth(end.At, func(h *health) { h.disconnected(end) })
	fields := []zap.Field{
		zap.String("cause", string(end.Cause)), zap.NamedError("detail", end.Err),
		zap.Time("last_activity", end.LastActivity), zap.Duration("next_attempt_in", wait),
	}
	if end.RefusesToken() && end.WithToken {
		c.logger.Warn("Disconnected: the platform refuses the token; reconnecting with a new one", fields...)
		return
	}
	c.logger.Warn("Disconnected; reconnecting", fields...)
}

// Text handles a frame.
func (c *connection) Text(text []byte, at time.Time, socket int) {
	c.logViolations(c.batcher.frame(text, at, socket))
}

// Violation handles a frame that is not valid text. Of one that is too large only the
// beginning is known, which may have the dimensions.
func (c *connection) Violation(reason string, piece []byte, at time.Time) {
	violation := jsonevent.Violation{Reason: reason, Raw: piece}
	if reason == wsevent.ViolationFrameTooLarge {
		c.mutex.Lock()
		c.pieces.Decode(piece, (*beginning)(&violation))
		c.mutex.Unlock()
	}
	c.logViolations(c.batcher.violation(&violation, at))
}

// logViolations logs the first violation of each reason. All are records.
func (c *connection) logViolations(found []jsonevent.Violation) {
	for i := range found {
		c.logger.Warn("Received a frame that is not a valid event; each is a protocol.violation record, further ones of this reason are not logged",
			zap.String("reason", found[i].Reason), zap.String("detail", found[i].Detail))
	}
}

// beginning reads the dimensions of the beginning of a frame.
type beginning jsonevent.Violation

// Event has them where an event is complete.
func (b *beginning) Event(e *jsonevent.Event) { b.set(e.TenantID, e.Region, e.ChannelType) }

// Ignored has none.
func (*beginning) Ignored() {}

// Violation has those before the cut.
func (b *beginning) Violation(v *jsonevent.Violation) { b.set(v.TenantID, v.Region, v.ChannelType) }

func (b *beginning) set(tenant, region, channelType []byte) {
	b.TenantID, b.Region, b.ChannelType = slices.Clone(tenant), slices.Clone(region), slices.Clone(channelType)
}

// Source identifies the connection to downstream components.
func (c *connection) Source() string { return c.source }

// DeliveredTo returns the time up to which all data of the platform on this connection is
// delivered: now, or the arrival of the first record that is not, or the time since which
// data in the socket's buffers is unread.
func (c *connection) DeliveredTo(now time.Time) time.Time {
	// A frame is read, then added to a batch, then delivered: checked in that order, none
	// is missed.
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

// updateHealth changes the health of the connection, and reports its status.
func (c *connection) updateHealth(now time.Time, change func(*health)) {
	c.healthMutex.Lock()
	change(&c.health)
	trouble := c.health.trouble(now)
	c.healthMutex.Unlock()
	c.status.set(c.number, connectTrouble, trouble)
}

// checkHealth reports the status between changes.
func (c *connection) checkHealth(now time.Time) {
	c.updateHealth(now, func(h *health) {
		if c.idle != nil && c.idle() {
			*h = newHealth(now)
		}
	})
}

// churnInterval is the minimum time between two log lines of rotations that are too
// frequent.
const churnInterval = 10 * time.Minute

// logChurn logs a rotation of a socket that is younger than the maximum reconnect
// interval.
func (c *connection) logChurn(cause wsclient.Cause, now time.Time) {
	age := now.Sub(c.newestUp)
	if age >= c.backoff.Max || !c.churnLogged.IsZero() && now.Sub(c.churnLogged) < churnInterval {
		return
	}
	c.churnLogged = now
	c.logger.Warn("Sockets are replaced more often than once in reconnect::max_interval; "+
		"check the lifetime of the token and of the address, rotation::max_age, and the frames that request a new socket",
		zap.String("cause", string(cause)), zap.Duration("age", age), zap.Duration("max_interval", c.backoff.Max))
}

func causeAttribute(of wsclient.Cause) metric.AddOption {
	return metric.WithAttributes(attribute.String("cause", string(of)))
}

// heartbeatMaxLag is how far reading may be behind when stream.alive is emitted: less
// than the allowed lateness of windows.
const heartbeatMaxLag = 100 * time.Millisecond

// heartbeat calls a function at an interval while a socket is up. Its records distinguish
// a stream without events from one that does not reach the windows.
type heartbeat struct {
	interval time.Duration // 0: off
	stopped  chan struct{}
	running  sync.WaitGroup
}

// start calls emit at the interval, with the time since the call before, which is longer
// than the interval where emit was blocked. ReadTo is the time up to which all data of the
// platform is read: while that is behind, emit is not called, since its record would
// precede events that are still to be read.
func (h *heartbeat) start(since time.Time, readTo func(time.Time) time.Time, emit func(at time.Time, since time.Duration)) {
	if h.interval == 0 {
		return
	}
	h.stopped = make(chan struct{})
	h.running.Go(func() {
		ticker := time.NewTicker(h.interval)
		defer ticker.Stop()
		for {
			select {
			case <-h.stopped:
				return
			case <-ticker.C:
				now := time.Now()
				if readTo(now).Before(now.Add(-heartbeatMaxLag)) {
					continue
				}
				emit(now, max(h.interval, now.Sub(since)))
				since = now
			}
		}
	})
}

// stop returns after the last call.
func (h *heartbeat) stop() {
	if h.stopped != nil {
		close(h.stopped)
		h.running.Wait()
		h.stopped = nil
	}
}
