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
	// lookEvery is how often the wall clock is looked at, and so how much later
	// than due a window leaves.
	lookEvery = 50 * time.Millisecond
	// firstOfferAgain and lastOfferAgain bound the waits after downstream has refused
	// windows. Where several are downstream, those that took them get them again with
	// each offer, so it is not made too often.
	firstOfferAgain = time.Second
	lastOfferAgain  = 10 * time.Second
	// maxEmitted is how many windows leave in one plog.Logs.
	maxEmitted = 1_000
)

// emitter is what belongs to the goroutine that runs, and to Start and Shutdown
// while it does not.
type emitter struct {
	store       *checkpointStore // nil without a storage
	leftover    plog.Logs        // windows of before a restart, which are sent first
	attemptedAt time.Time        // of the latest checkpoint

	wait  time.Duration // after downstream took no windows the last time; 0: it did
	again time.Time     // no offer before
}

// run emits windows as they end, until ctx does. Where there is a storage, a
// window is on it before it leaves, so that totals never run backwards.
func (s *shard) run(ctx context.Context) {
	for !s.fenced() {
		now := time.Now()
		s.look(now)
		if s.due(now) {
			_ = s.save(s.saving(ctx), now, false) // logged there
			if s.fenced() {
				return
			}
		}
		if !now.Before(s.emitter.again) {
			s.noteOffer(s.emit(ctx, now), now)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// fenced reports whether the partition is lost: what could not be saved must not be emitted.
func (s *shard) fenced() bool { return s.partition != nil && s.partition.lost }

// saving is the context to save with. One that is cut off in the middle would lose
// the partition; the receiver bounds it.
func (s *shard) saving(ctx context.Context) context.Context {
	if s.partition == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// look lets the wall clock act on the windows. That of a partition stands still
// while there is more to read.
func (s *shard) look(now time.Time) {
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

// noteOffer notes when to offer windows again. It logs the begin and the end of a
// time in which downstream takes none, not every attempt.
func (s *shard) noteOffer(err error, now time.Time) {
	e := &s.emitter
	switch {
	case err == nil && e.wait > 0:
		s.logger.Info("Downstream takes windows again")
		e.wait = 0
	case err != nil && e.wait == 0:
		s.logger.Warn("Downstream refuses windows; they wait and are offered again",
			zap.Int("waiting", s.waitingWindows()), zap.Duration("at_least_every", lastOfferAgain), zap.Error(err))
		e.wait = firstOfferAgain
	case err != nil:
		e.wait = min(2*e.wait, lastOfferAgain)
	}
	e.again = now.Add(e.wait)
}

// emit sends the windows that wait, the oldest first. Those that downstream
// refuses go on waiting; those it refuses for good are counted and left behind.
func (s *shard) emit(ctx context.Context, now time.Time) error {
	if s.emitter.leftover.LogRecordCount() > 0 {
		logs := plog.NewLogs()
		s.emitter.leftover.CopyTo(logs)
		if err := s.send(ctx, logs); err != nil {
			return err
		}
		s.emitter.leftover = plog.NewLogs()
	}
	for {
		windows := s.oldest(maxEmitted)
		if len(windows) == 0 {
			s.allDelivered(s.saving(ctx))
			return nil
		}
		if err := s.send(ctx, encode(windows, now)); err != nil {
			return err
		}
		s.sent(len(windows))
	}
}

// send offers windows to downstream. An error says that they have to wait.
func (s *shard) send(ctx context.Context, logs plog.Logs) error {
	count := logs.LogRecordCount()
	err := s.next.ConsumeLogs(ctx, logs)
	if !consumererror.IsPermanent(err) {
		return err
	}
	s.telemetry.WsWindowRefusedWindows.Add(ctx, int64(count))
	s.logger.Error("Downstream refused windows for good; the totals in the next ones include them",
		zap.Int("windows", count), zap.Error(err))
	return nil
}

// oldest gives up to n of the windows that wait. With a storage that works, only
// those that are on it may leave.
func (s *shard) oldest(n int) []wsevent.Window {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	ready := len(s.waiting)
	if s.emitter.store != nil && !s.failing() {
		ready = s.saved
	}
	return s.waiting[:min(ready, n)]
}

func (s *shard) sent(n int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.waiting = s.waiting[n:]
	s.saved = max(0, s.saved-n)
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
}

// encode makes window records, each on a resource with its tags.
func encode(windows []wsevent.Window, now time.Time) plog.Logs {
	logs := plog.NewLogs()
	resources := logs.ResourceLogs()
	resources.EnsureCapacity(len(windows))
	observed := pcommon.NewTimestampFromTime(now)
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
