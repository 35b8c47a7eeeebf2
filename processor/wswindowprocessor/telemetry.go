// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// observe registers the asynchronous instruments, which read the engine only at collection.
func (p *windowProcessor) observe() error {
	limit := func(n int) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(n))
			return nil
		}
	}
	stat := func(read func(window.Stats) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read(p.stats()))
			return nil
		}
	}
	t := p.telemetry
	return errors.Join(
		t.RegisterWsWindowWindowsCallback(stat(func(s window.Stats) int64 { return s.Windows })),
		t.RegisterWsWindowSkippedWindowsCallback(stat(func(s window.Stats) int64 { return s.SkippedWindows })),
		t.RegisterWsWindowExpiredChannelsCallback(stat(func(s window.Stats) int64 { return s.ExpiredChannels })),
		t.RegisterWsWindowRefusedChannelsCallback(stat(func(s window.Stats) int64 { return s.RefusedChannels })),
		t.RegisterWsWindowRetiredSeriesCallback(stat(func(s window.Stats) int64 { return s.RetiredSeries })),
		t.RegisterWsWindowSessionsCallback(stat(func(s window.Stats) int64 { return s.Sessions })),
		t.RegisterWsWindowUnrecordedSessionsCallback(stat(func(s window.Stats) int64 { return s.UnrecordedSessions })),
		t.RegisterWsWindowUnconfirmedChannelsCallback(func(_ context.Context, o metric.Int64Observer) error {
			unconfirmed := 0
			for _, s := range p.shards() {
				unconfirmed += s.unconfirmed()
			}
			o.Observe(int64(unconfirmed))
			return nil
		}),
		t.RegisterWsWindowOpenChannelsCallback(stat(func(s window.Stats) int64 { return int64(s.Channels) })),
		t.RegisterWsWindowSeriesCallback(stat(func(s window.Stats) int64 { return int64(s.Series) })),
		t.RegisterWsWindowChannelsLimitCallback(limit(p.config.MaxChannels)),
		t.RegisterWsWindowSeriesLimitCallback(limit(p.config.MaxSeries)),
		t.RegisterWsWindowWaitingWindowsCallback(func(_ context.Context, o metric.Int64Observer) error {
			waiting := int64(0)
			for _, s := range p.shards() {
				waiting += int64(s.waitingWindows())
			}
			o.Observe(waiting)
			return nil
		}),
		t.RegisterWsWindowWaitingSessionsCallback(func(_ context.Context, o metric.Int64Observer) error {
			waiting := int64(0)
			for _, s := range p.shards() {
				waiting += int64(s.waitingSessions())
			}
			o.Observe(waiting)
			return nil
		}),
		t.RegisterWsWindowMissedEventsCallback(p.observeMissed),
		t.RegisterWsWindowCheckpointAgeCallback(p.observeAge),
		t.RegisterWsWindowWatermarkLagCallback(p.observeLag),
	)
}

func (p *windowProcessor) observeMissed(_ context.Context, o metric.Int64Observer) error {
	stats := p.stats()
	o.Observe(stats.LateEvents, metric.WithAttributes(attribute.String("reason", "late")))
	o.Observe(stats.FutureEvents, metric.WithAttributes(attribute.String("reason", "future")))
	return nil
}

// observeAge reports the age of the oldest of the shards' latest checkpoints. It reports
// nothing before the first checkpoint, and so never without a storage.
func (p *windowProcessor) observeAge(_ context.Context, o metric.Float64Observer) error {
	oldest := int64(0)
	for _, s := range p.shards() {
		if saved := s.savedAt.Load(); saved != 0 && (oldest == 0 || saved < oldest) {
			oldest = saved
		}
	}
	if oldest != 0 {
		o.Observe(time.Since(time.UnixMilli(oldest)).Seconds())
	}
	return nil
}

// maxLags bounds the streams whose lag is reported.
const maxLags = 100

func (p *windowProcessor) observeLag(_ context.Context, o metric.Float64Observer) error {
	now := time.Now().UnixMilli()
	var lags []window.Lag
	for _, s := range p.shards() {
		lags = append(lags, s.lags(now, maxLags)...)
	}
	slices.SortFunc(lags, window.Farther)
	observed := map[window.Lag]bool{} // every shard may have an overflow set, and the farthest behind counts
	for _, lag := range lags[:min(len(lags), maxLags)] {
		key := lag
		key.Milliseconds = 0
		if observed[key] {
			continue
		}
		observed[key] = true
		attributes := []attribute.KeyValue{attribute.Bool(wsevent.Overflow, true)}
		if !lag.Overflow {
			attributes = []attribute.KeyValue{attribute.String(wsevent.Region, lag.Region)}
		}
		if lag.TenantID != "" {
			attributes = append(attributes, attribute.String(wsevent.TenantID, lag.TenantID))
		}
		o.Observe(float64(lag.Milliseconds)/1000, metric.WithAttributes(attributes...))
	}
	return nil
}
