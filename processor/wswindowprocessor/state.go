// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// open opens the storage and restores the state. Where the storage is unavailable, the
// processor works without one: a file that cannot be opened does not stop it, and is
// reported as its status.
func (p *windowProcessor) open(ctx context.Context, host component.Host, now time.Time) error {
	report := func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) }
	client, err := state.Open(ctx, host, *p.config.Storage, component.KindProcessor, p.id, "")
	if errors.Is(err, state.ErrUnavailable) {
		config := p.config.window()
		config.TrackChanges = false
		p.own.engine = window.New(config)
		p.logger.Error("Storage cannot be opened. Windows start without saved state, and no state is saved", zap.Error(err))
		report(componentstatus.NewRecoverableErrorEvent(err))
		return nil
	}
	if err != nil {
		return err
	}
	store := newCheckpointStore(state.NewStore(client, p.config.Storage.String(), p.logger, report))
	found, err := store.restore(ctx, p.own.engine)
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", p.config.Storage, err)
	}
	if found.savedAt != 0 {
		p.own.engine.Resume(found.savedAt, now.UnixMilli())
	}
	p.own.useStore(store, found, now)
	return nil
}

// useStore makes the shard save to the store that its state was restored from.
func (s *shard) useStore(store *checkpointStore, found restored, now time.Time) {
	s.emitter.store, s.emitter.leftover, s.emitter.attemptedAt = store, found.waiting, now
	if found.savedAt == 0 {
		return
	}
	stats := s.stats()
	message := "Resumed from saved state; windows of the downtime are incomplete"
	if s.partition != nil && !s.partition.DataLoss() {
		message = "Resumed from the state of the partition"
	}
	s.logger.Info(message,
		zap.Duration("downtime", now.Sub(time.UnixMilli(found.savedAt))), zap.Int("series", stats.Series),
		zap.Int("channels", stats.Channels), zap.Int("windows", found.waiting.LogRecordCount()))
}

// due reports whether a checkpoint is due: windows have closed, or the interval has
// elapsed. After a failure only the interval counts.
func (s *shard) due(now time.Time) bool {
	if s.emitter.store == nil {
		return false
	}
	if now.Sub(s.emitter.attemptedAt) >= s.config.CheckpointInterval {
		return true
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return (s.saved < len(s.waiting) || s.sessions.saved < len(s.sessions.records)) && !s.failing()
}

// save makes a checkpoint: what has changed and a chunk of the channels, or with all every
// one of them. Events are blocked while it is collected, not while it is written.
func (s *shard) save(ctx context.Context, now time.Time, all bool) error {
	s.emitter.attemptedAt = now
	s.mutex.Lock()
	// What a failed checkpoint had collected is lost, so the next one takes everything.
	c := s.emitter.store.collect(s.engine, all || s.failing(), s.checkpointTime(now))
	if s.partition != nil {
		s.partition.position = s.position
	}
	windows, sessions := s.waiting, s.sessions.records
	s.saved, s.sessions.saved = len(windows), len(sessions)
	s.mutex.Unlock()

	waiting := plog.NewLogs()
	s.emitter.leftover.CopyTo(waiting)
	encode(windows, sessions, now).ResourceLogs().MoveAndAppendTo(waiting.ResourceLogs())
	err := s.emitter.store.write(ctx, c, waiting)
	if err != nil {
		s.mutex.Lock()
		s.engine.MarkAllDirty()
		s.mutex.Unlock()
		s.telemetry.WsWindowCheckpointFailures.Add(ctx, 1)
	} else {
		s.telemetry.WsWindowCheckpointDuration.Record(ctx, time.Since(now).Seconds())
		s.telemetry.WsWindowCheckpointSize.Record(ctx, int64(c.size))
		s.savedAt.Store(now.UnixMilli())
	}
	s.recordSave(ctx, err)
	return err
}

// checkpointTime is the time of a checkpoint, unix ms. That of a partition is how far it
// has been consumed, where its next owner resumes.
func (s *shard) checkpointTime(now time.Time) int64 {
	if s.partition == nil {
		return now.UnixMilli()
	}
	return max(1, s.clock) // 0 is no checkpoint
}

// allDelivered deletes the saved windows. Where that fails, the next checkpoint does it; a
// restart before it emits some windows again, with the same values.
func (s *shard) allDelivered(ctx context.Context) {
	if s.emitter.store == nil || s.failing() {
		return
	}
	if err := s.emitter.store.windowsDelivered(ctx); err != nil {
		s.recordSave(ctx, err)
	}
}

// recordSave records the result of a save.
func (s *shard) recordSave(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // cancelled by Shutdown, which saves once more
	case s.partition == nil:
		s.emitter.store.Saved(err)
	case err != nil && !s.partition.lost:
		s.partition.lost = true
		s.logger.Warn("State of the partition cannot be saved. The partition is given up; its next owner resumes from the last checkpoint",
			zap.Error(err))
	}
}

// failing reports whether the latest checkpoint is not in the storage.
func (s *shard) failing() bool { return s.fenced() || s.emitter.store.Failing() }
