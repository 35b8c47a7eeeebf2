// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/eventstore"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// eventStore keeps events; *eventstore.Store is the only one.
type eventStore interface {
	// Append stores a batch. Its errors are *eventstore.Lost, *eventstore.Unavailable and others, as for (*eventstore.Store).Append.
	Append(ctx context.Context, b *eventstore.Batch) error
	// Lose counts events that are not offered to Append, at their times in unix ns.
	Lose(reason eventstore.Reason, times ...int64)
	// Select returns the newest events of a query, at most limit, from a place on.
	Select(ctx context.Context, q *eventstore.Query, from eventstore.Cursor, limit int) (eventstore.Result, error)
	// Summarize counts the events of a query.
	Summarize(ctx context.Context, q *eventstore.Query) (eventstore.Summary, error)
	// Erase removes the events of a channel from the disk.
	Erase(ctx context.Context, channel string) (eventstore.Erasure, error)
	Events() int64
	Size() int64
	Close() error
}

const (
	maxEventQueries        = 2  // at the same time
	maxWaitingEventQueries = 32 // for that; then 503
)

// openEvents opens the store of events, if one is configured.
func (d *dashboard) openEvents() error {
	if !d.config.Events.HasValue() {
		return nil
	}
	c := d.config.Events.Get()
	opened, err := eventstore.Open(eventstore.Options{
		Directory:    c.Directory,
		Retention:    c.Retention,
		MaxBytes:     c.MaxBytes,
		MinFreeBytes: c.MinFreeBytes,
		Logger:       d.slog(),
		Lost:         d.lostEvents,
		Status:       d.health.setEvents,
	})
	if err != nil {
		return fmt.Errorf("events::directory: %w", err)
	}
	d.events = opened
	return nil
}

func (d *dashboard) lostEvents(reason eventstore.Reason, n int) {
	d.telemetry.DashboardLostEvents.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String("reason", string(reason))))
}

// observeEvents registers what is read when own telemetry is collected.
func (d *dashboard) observeEvents() error {
	if d.events == nil {
		return nil
	}
	observe := func(read func() int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read())
			return nil
		}
	}
	return errors.Join(
		d.telemetry.RegisterDashboardEventsCallback(observe(d.events.Events)),
		d.telemetry.RegisterDashboardEventsSizeCallback(observe(d.events.Size)),
	)
}

// eventRoutes adds the API of events. Without a store it responds with 404 and how to configure one.
func (d *dashboard) eventRoutes(mux *http.ServeMux, bodies func() requestbody.Reader) {
	if d.events == nil {
		none := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.queries.send(w, r, refusal(http.StatusNotFound, "not_found", errors.New("no events are stored here: set events::directory of the dashboard extension")))
		})
		for _, path := range []string{"/api/v1/otlp/v1/logs", "/api/v1/events", "/api/v1/events/", "/api/v1/channels/"} {
			mux.Handle(path, none)
		}
		return
	}
	// Writes have limits of their own, so that events do not delay metrics.
	writes := newWrites(bodies(), func() {})
	mux.Handle("POST /api/v1/otlp/v1/logs", writes.handler(d.writeEvents))
	c := d.config.Events.Get()
	reads := &eventQueries{
		store: d.events, maxRange: c.Retention + time.Hour, timeout: d.config.Query.Timeout, retention: c.Retention,
		limiter: requestbody.NewLimiter(maxEventQueries, maxWaitingEventQueries), send: d.queries.send, telemetry: d.telemetry,
	}
	mux.Handle("GET /api/v1/events", reads.handler("events", reads.list))
	mux.Handle("GET /api/v1/events/summary", reads.handler("events/summary", reads.summarize))
	mux.Handle("GET /api/v1/channels/{id}", reads.handler("channels", reads.channel))
	mux.Handle("DELETE /api/v1/events", reads.handler("events/erase", d.eraseEvents))
}

// eraseToken is the header that has the token of an erasure where the server's own authentication uses Authorization.
const eraseToken = "Erase-Token"

// eraseFields are the fields of a log line about an erasure. The channel's ID is not among them.
func eraseFields(e *eventstore.Erasure, err error) []zap.Field {
	return []zap.Field{zap.String("channel_sha256", e.ChannelSHA256), zap.Int("events", e.Events), zap.Error(err)}
}

// eventsKept is how long events are kept; 0 without a store of events.
func (d *dashboard) eventsKept() time.Duration {
	if d.events == nil {
		return 0
	}
	return d.config.Events.Get().Retention
}
