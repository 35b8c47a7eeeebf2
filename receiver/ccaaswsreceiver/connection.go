// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"slices"
	"sync"
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

// connection makes records of what a session lives through: of what it reads, and
// of the stream itself. All of it goes through one outbox, in order.
type connection struct {
	number    int
	source    string
	session   *wsclient.Session
	outbox    *outbox
	delivery  *delivery
	streams   *streams
	status    *status
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger

	heard  time.Time // the last sign of life; before the first, when we began
	alive  alive
	down   wsclient.Cause  // why there is no socket; empty: there is, or was no attempt yet
	warned map[string]bool // reasons of violations that the log has told of
	newest time.Time       // since when the newest socket is up
	hasty  time.Time       // the last log line of sockets that are replaced too often
	pace   wsclient.Backoff

	healthMutex sync.Mutex // the session reports, and the monitor looks
	health      health
	idle        func() bool // whether the session has nothing to connect for; nil: it always has

	mutex  sync.Mutex         // two sockets may be read at once
	pieces *jsonevent.Decoder // of frames that are too large; the others are decoded in the outbox
}

var _ wsclient.Handler = (*connection)(nil)

// Connected tells that the stream lives, and of the time in which it did not.
func (c *connection) Connected(at time.Time, roundTrip time.Duration) {
	ctx := context.Background()
	c.telemetry.CcaasWsConnects.Add(ctx, 1)
	c.telemetry.CcaasWsConnections.Add(ctx, 1)
	c.newest = at
	c.note(at, func(h *health) { h.connected(at) })
	streams := c.streams.carried(at)
	if c.down != "" {
		c.telemetry.CcaasWsReconnects.Add(ctx, 1, cause(c.down))
		c.gapped(streams, at, c.down)
	}
	for _, one := range streams {
		c.outbox.stream(wsevent.StreamConnected, one, at, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.StreamConnection, int64(c.number))
			record.Attributes().PutDouble(wsevent.StreamRoundTrip, float64(roundTrip)/float64(time.Millisecond))
			if c.alive.interval > 0 {
				record.Attributes().PutInt(wsevent.AliveInterval, c.alive.interval.Milliseconds())
			}
		})
	}
	c.logger.Info("Connected", zap.Duration("gap", c.gap(at)))
	c.down, c.heard = "", at
	c.alive.begin(at, c.session.ReadTo, c.lives)
}

// gapped tells of the time from the last sign of life to now.
func (c *connection) gapped(streams []stream, at time.Time, why wsclient.Cause) {
	c.telemetry.CcaasWsGapTime.Add(context.Background(), at.Sub(c.heard).Seconds())
	for _, one := range streams {
		c.outbox.stream(wsevent.StreamGap, one, at, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.GapStart, c.heard.UnixMilli())
			record.Attributes().PutInt(wsevent.GapEnd, at.UnixMilli())
			record.Attributes().PutStr(wsevent.StreamCause, string(why))
		})
	}
}

func (c *connection) gap(now time.Time) time.Duration {
	if c.down == "" {
		return 0
	}
	return now.Sub(c.heard)
}

// Failed tells of an attempt that came to nothing. The stream is told of it once
// it lives again, by its gap.
func (c *connection) Failed(failure *wsclient.Failure, wait time.Duration) {
	c.telemetry.CcaasWsConnectFailures.Add(context.Background(), 1, cause(failure.Cause))
	if c.down == "" {
		c.down = failure.Cause
	}
	c.note(time.Now(), func(h *health) { h.failed(failure) })
	fields := []zap.Field{zap.Error(failure), zap.String("cause", string(failure.Cause)), zap.Duration("next_attempt_in", wait)}
	if failure.RetryAfter > 0 {
		fields = append(fields, zap.Duration("retry_after", failure.RetryAfter))
	}
	if failure.Permanent {
		c.logger.Error("Cannot connect, and trying again will not mend it; trying again slowly", fields...)
		return
	}
	c.logger.Warn("Cannot connect; trying again", fields...)
}

// Rotated tells that a new socket has taken over. The stream is told of nothing:
// it has no gap.
func (c *connection) Rotated(why wsclient.Cause, at time.Time) {
	ctx := context.Background()
	c.telemetry.CcaasWsConnections.Add(ctx, 1)
	c.telemetry.CcaasWsRotations.Add(ctx, 1, cause(why))
	c.note(at, func(h *health) { h.rotated() })
	c.logHaste(why, at)
	c.newest = at
	c.heard = at
	c.logger.Info("A new socket is up beside the old one, which is left after the overlap", zap.String("cause", string(why)))
}

// NotRotated tells that the old socket has to do for longer.
func (c *connection) NotRotated(why wsclient.Cause, failure *wsclient.Failure, wait time.Duration) {
	c.telemetry.CcaasWsConnectFailures.Add(context.Background(), 1, cause(failure.Cause))
	c.note(time.Now(), func(h *health) { h.notRotated(failure) })
	c.logger.Warn("Cannot open a new socket beside the old one, which still works; trying again", zap.String("cause", string(why)),
		zap.Error(failure), zap.Duration("next_attempt_in", wait))
}

// Left tells that one of two sockets ended. Where that was not in good order, what
// was on its way on it may be lost, and that is a gap.
func (c *connection) Replaced(end *wsclient.End) {
	c.telemetry.CcaasWsConnections.Add(context.Background(), -1)
	if end.Graceful() && end.Unread.IsZero() {
		c.logger.Debug("The old socket is left", zap.String("cause", string(end.Cause)))
		return
	}
	c.telemetry.CcaasWsDisconnects.Add(context.Background(), 1, cause(end.Cause))
	c.heard = end.LastActivity
	if !end.Unread.IsZero() {
		c.heard = end.Unread
	}
	c.gapped(c.streams.carried(end.At), end.At, end.Cause)
	c.heard = end.At
	c.logger.Warn("One of two sockets ended before it was left", zap.String("cause", string(end.Cause)), zap.NamedError("detail", end.Err))
}

// Disconnected tells that the stream is down.
func (c *connection) Disconnected(end *wsclient.End, wait time.Duration) {
	ctx := context.Background()
	c.telemetry.CcaasWsConnections.Add(ctx, -1)
	c.telemetry.CcaasWsDisconnects.Add(ctx, 1, cause(end.Cause))
	c.alive.end()
	c.down = end.Cause
	if end.LastActivity.After(c.heard) {
		c.heard = end.LastActivity
	}
	streams := c.streams.carried(end.At)
	if !end.Unread.IsZero() { // windows wait for what was sent since: the gap is to reach them before they go on
		c.heard = end.Unread
		c.gapped(streams, end.At, end.Cause)
		c.heard = end.At
	}
	for _, one := range streams {
		c.outbox.stream(wsevent.StreamDisconnected, one, end.At, func(record plog.LogRecord) {
			record.Attributes().PutStr(wsevent.StreamCause, string(end.Cause))
			record.Attributes().PutInt(wsevent.StreamConnection, int64(c.number))
			if end.Code != 0 {
				record.Attributes().PutInt(wsevent.CloseCode, int64(end.Code))
			}
		})
	}
	if end.Cause != wsclient.Shutdown {
		c.note(end.At, func(h *health) { h.disconnected(end) })
	}
	if end.Cause == wsclient.Shutdown {
		c.logger.Info("Disconnected", zap.String("cause", string(end.Cause)))
		return
	}
	fields := []zap.Field{
		zap.String("cause", string(end.Cause)), zap.NamedError("detail", end.Err),
		zap.Time("last_sign_of_life", end.LastActivity), zap.Duration("next_attempt_in", wait),
	}
	if end.RefusesToken() && end.WithToken {
		c.logger.Warn("Disconnected: the platform refuses the token; connecting again with a new one", fields...)
		return
	}
	c.logger.Warn("Disconnected; connecting again", fields...)
}

// note reports a change to the health of the connection, and shows its state.
func (c *connection) note(now time.Time, change func(*health)) {
	c.healthMutex.Lock()
	change(&c.health)
	trouble := c.health.trouble(now)
	c.healthMutex.Unlock()
	c.status.set(c.number, connectTrouble, trouble)
}

// checkHealth shows the state of the connection between its events.
func (c *connection) checkHealth(now time.Time) {
	c.note(now, func(h *health) {
		if c.idle != nil && c.idle() {
			*h = newHealth(now)
		}
	})
}

// hasteReminder is the time between two log lines of sockets that are replaced too
// often.
const hasteReminder = 10 * time.Minute

// logHaste logs that a socket was replaced by a rotation before it was as old as the
// longest wait between two sockets of a reconnect.
func (c *connection) logHaste(why wsclient.Cause, now time.Time) {
	age := now.Sub(c.newest)
	if age >= c.pace.Max || !c.hasty.IsZero() && now.Sub(c.hasty) < hasteReminder {
		return
	}
	c.hasty = now
	c.logger.Warn("Sockets are replaced more often than once in reconnect.max_interval; "+
		"look at how long the token and the address hold, at rotation.max_age, and at the frames that ask for a new socket",
		zap.String("cause", string(why)), zap.Duration("age", age), zap.Duration("max_interval", c.pace.Max))
}

// Text takes a frame.
func (c *connection) Text(text []byte, at time.Time, socket int) { c.outbox.frame(text, at, socket) }

// Violation takes what cannot be a frame.
func (c *connection) Violation(reason string, piece []byte, at time.Time) {
	violation := jsonevent.Violation{Reason: reason, Raw: piece}
	if reason == wsevent.ViolationFrameTooLarge {
		c.mutex.Lock()
		c.pieces.Decode(piece, (*beginning)(&violation))
		c.mutex.Unlock()
	}
	c.outbox.violation(&violation, at)
}

// saw is told of the streams of events, while one is put into the outbox.
func (c *connection) saw(tenant, region string) {
	c.streams.see(stream{tenant: tenant, region: region}, c.outbox.filled.now.AsTime())
}

// violated is told of violations. The log tells of the first of each reason, the
// records of all.
func (c *connection) violated(v *jsonevent.Violation) {
	if c.warned[v.Reason] {
		return
	}
	c.warned[v.Reason] = true
	c.logger.Warn("The platform sends what is no event; each piece is a protocol.violation record, further ones of this reason are not logged",
		zap.String("reason", v.Reason), zap.String("detail", v.Detail))
}

// beginning reads the dimensions that the beginning of a frame still shows.
type beginning jsonevent.Violation

// Event is a whole one in a larger frame.
func (b *beginning) Event(e *jsonevent.Event) { b.take(e.TenantID, e.Region, e.ChannelType) }

// Ignored shows nothing.
func (*beginning) Ignored() {}

// Violation is the one that was cut.
func (b *beginning) Violation(v *jsonevent.Violation) { b.take(v.TenantID, v.Region, v.ChannelType) }

func (b *beginning) take(tenant, region, channelType []byte) {
	b.TenantID, b.Region, b.ChannelType = slices.Clone(tenant), slices.Clone(region), slices.Clone(channelType)
}

func cause(of wsclient.Cause) metric.AddOption {
	return metric.WithAttributes(attribute.String("cause", string(of)))
}
