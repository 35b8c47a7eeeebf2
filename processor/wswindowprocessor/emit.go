// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

const (
	// tickInterval is the interval at which the wall clock advances the windows, and so
	// the maximum delay of a window.
	tickInterval = 50 * time.Millisecond
	// minRetryInterval and maxRetryInterval bound the backoff after downstream has refused
	// windows. Where several components are downstream, those that accepted them get them
	// again with each retry, so that retries are rare.
	minRetryInterval = time.Second
	maxRetryInterval = 10 * time.Second
	// maxEmitted is the maximum number of windows in one plog.Logs.
	maxEmitted = 1_000
)

// emitter is the state of the goroutine that runs, and of Start and Shutdown while it
// does not.
type emitter struct {
	store       *checkpointStore // nil without a storage
	leftover    plog.Logs        // windows of before a restart, which are sent first
	attemptedAt time.Time        // of the latest checkpoint

	backoff time.Duration // after downstream has refused windows; 0: it accepts them
	retryAt time.Time     // no retry before
}

// run emits windows as they close, until ctx ends. With a storage, a window is saved
// before it is emitted, so that totals never decrease.
func (s *shard) run(ctx context.Context) {
	for !s.fenced() {
		now := time.Now()
		s.tick(now)
		if s.due(now) {
			_ = s.save(s.saving(ctx), now, false) // logged there
			if s.fenced() {
				return
			}
		}
		if !now.Before(s.emitter.retryAt) {
			s.recordSend(s.emit(ctx, now), now)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tickInterval):
		}
	}
}

// fenced reports whether the partition is lost: what could not be saved must not be emitted.
func (s *shard) fenced() bool { return s.partition != nil && s.partition.lost }

// saving is the context of a save. A cancelled save would lose the partition; the
// receiver bounds it.
func (s *shard) saving(ctx context.Context) context.Context {
	if s.partition == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// tick advances the windows by the wall clock. That of a partition does not advance while
// there is a backlog.
func (s *shard) tick(now time.Time) {
	if s.partition != nil {
		now = s.partition.CaughtUpTo()
	}
	if now.IsZero() {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.clock = max(s.clock, now.UnixMilli())
	for source, delivery := range s.deliveries {
		s.engine.Delivered(source, delivery.DeliveredTo(now).UnixMilli(), s.clock)
	}
	s.engine.Advance(s.clock)
	s.drain()
}

// recordSend sets the backoff. It logs the start and the end of a time in which downstream
// refuses windows, not every attempt.
func (s *shard) recordSend(err error, now time.Time) {
	e := &s.emitter
	switch {
	case err == nil && e.backoff > 0:
		s.logger.Info("Downstream accepts windows again")
		e.backoff = 0
	case err != nil && e.backoff == 0:
		s.logger.Warn("Downstream refuses windows; they are kept and retried",
			zap.Int("waiting", s.waitingWindows()), zap.Duration("at_least_every", maxRetryInterval), zap.Error(err))
		e.backoff = minRetryInterval
	case err != nil:
		e.backoff = min(2*e.backoff, maxRetryInterval)
	}
	e.retryAt = now.Add(e.backoff)
}

// emit sends the waiting windows, the oldest first. Those that downstream refuses are
// retried; those it refuses permanently are counted and dropped.
func (s *shard) emit(ctx context.Context, now time.Time) error {
	if s.emitter.leftover.LogRecordCount() > 0 {
		logs := plog.NewLogs()
		s.emitter.leftover.CopyTo(logs)
		if err := s.send(ctx, logs, 0); err != nil {
			return err
		}
		s.emitter.leftover = plog.NewLogs()
	}
	for {
		windows, sessions := s.oldest(maxEmitted)
		if len(windows)+len(sessions) == 0 {
			s.allDelivered(s.saving(ctx))
			return nil
		}
		if err := s.send(ctx, encode(windows, sessions, now), len(sessions)); err != nil {
			return err
		}
		s.sent(len(windows), len(sessions))
	}
}

// send sends windows downstream, and sessions, as many of the records as given. On an error
// they are retried.
func (s *shard) send(ctx context.Context, logs plog.Logs, sessions int) error {
	count := logs.LogRecordCount() - sessions
	err := s.next.ConsumeLogs(ctx, logs)
	if !consumererror.IsPermanent(err) {
		return err
	}
	s.telemetry.WsWindowRefusedWindows.Add(ctx, int64(count))
	s.telemetry.WsWindowRefusedSessions.Add(ctx, int64(sessions))
	s.logger.Error("Downstream refused windows permanently; they are dropped, and the totals of the next ones include them",
		zap.Int("windows", count), zap.Int("sessions", sessions), zap.Error(err))
	return nil
}

// oldest returns up to n of the waiting windows and as many sessions. With a storage that
// works, only saved ones may be emitted.
func (s *shard) oldest(n int) ([]wsevent.Window, []wsevent.Session) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	ready, ended := len(s.waiting), len(s.sessions.records)
	if s.emitter.store != nil && !s.failing() {
		ready, ended = s.saved, s.sessions.saved
	}
	return s.waiting[:min(ready, n)], s.sessions.records[:min(ended, n)]
}

func (s *shard) sent(windows, sessions int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.waiting = s.waiting[windows:]
	s.saved = max(0, s.saved-windows)
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	s.sessions.sent(sessions)
}

// encode returns session records, and window records, each of these on a resource with its
// tags.
func encode(windows []wsevent.Window, sessions []wsevent.Session, now time.Time) plog.Logs {
	logs := plog.NewLogs()
	resources := logs.ResourceLogs()
	observed := pcommon.NewTimestampFromTime(now)
	encodeSessions(resources, sessions, observed)
	resources.EnsureCapacity(resources.Len() + len(windows))
	for i := range windows {
		resource := resources.AppendEmpty()
		wslog.PutTags(resource.Resource().Attributes(), windows[i].Tags)
		scope := resource.ScopeLogs().AppendEmpty()
		scope.Scope().SetName(metadata.ScopeName)
		record := scope.LogRecords().AppendEmpty()
		record.SetObservedTimestamp(observed)
		wslog.EncodeWindow(record, &windows[i])
	}
	return logs
}
