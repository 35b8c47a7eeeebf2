// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// open gets the storage and goes on where the state on it stands.
func (p *windowProcessor) open(ctx context.Context, host component.Host, now time.Time) error {
	extension, ok := host.GetExtensions()[*p.config.Storage]
	if !ok {
		return fmt.Errorf("storage: %s: there is no such extension; name one of service::extensions", p.config.Storage)
	}
	provider, ok := extension.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: %s: is no storage extension, as file_storage is", p.config.Storage)
	}
	client, err := provider.GetClient(ctx, component.KindProcessor, p.id, "")
	if err != nil {
		p.goWithout(host, fmt.Errorf("storage: %s: %w", p.config.Storage, err))
		return nil
	}
	k := newKeeper(client)
	found, err := k.restore(ctx, p.own.engine)
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", p.config.Storage, err)
	}
	if found.savedAt != 0 {
		p.own.engine.Resume(found.savedAt, now.UnixMilli())
	}
	p.own.emitter.keeper, p.own.emitter.leftover, p.own.emitter.tried = k, found.waiting, now
	p.own.tellRestored(found, now)
	return nil
}

// goWithout begins without a state and saves none. To watch is worth more than to
// remember, so a file that cannot be opened stops nothing; but it shows in health.
func (p *windowProcessor) goWithout(host component.Host, why error) {
	config := p.config.window()
	config.Saved = false
	p.own.engine = window.New(config)
	p.logger.Error("The storage cannot be opened. Windows are counted from nothing, and nothing is saved. "+
		"Is another collector using it? If its file is damaged, move the file of this processor out of the storage's directory and restart",
		zap.Error(why))
	componentstatus.ReportStatus(host, componentstatus.NewRecoverableErrorEvent(why))
}

func (s *shard) tellRestored(found restored, now time.Time) {
	if len(found.damage) > 0 {
		s.logger.Error("Some of the saved state is damaged. It was set aside and the rest is used; "+
			"totals it held begin anew, and channels it held count again from their next sign",
			zap.Error(found.telling()))
	}
	if found.savedAt == 0 {
		return
	}
	stats := s.stats()
	told := "Went on from the saved state; windows of the time in between are incomplete"
	if s.partition != nil && !s.partition.DataLoss() {
		told = "Went on from the state of the partition"
	}
	s.logger.Info(told,
		zap.Duration("away", now.Sub(time.UnixMilli(found.savedAt))), zap.Int("series", stats.Series),
		zap.Int("channels", stats.Channels), zap.Int("windows", found.waiting.LogRecordCount()))
}

// due says that it is time for a checkpoint: windows have ended, or the interval
// has. After a failure only the interval counts.
func (s *shard) due(now time.Time) bool {
	if s.emitter.keeper == nil {
		return false
	}
	if now.Sub(s.emitter.tried) >= s.config.CheckpointInterval {
		return true
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.saved < len(s.waiting) && !s.emitter.failed
}

// save makes a checkpoint: what has changed and a part of the channels, or with
// all every one of them. Events wait only while it is collected, not while it is
// written.
func (s *shard) save(ctx context.Context, now time.Time, all bool) error {
	s.emitter.tried = now
	s.mutex.Lock()
	// What a failed checkpoint had collected is lost, so the next takes everything.
	c := s.emitter.keeper.collect(s.engine, all || s.emitter.failed, s.moment(now))
	if s.partition != nil {
		s.partition.position = s.position
	}
	windows := s.waiting
	s.saved = len(windows)
	s.mutex.Unlock()

	waiting := plog.NewLogs()
	s.emitter.leftover.CopyTo(waiting)
	encode(windows, now).ResourceLogs().MoveAndAppendTo(waiting.ResourceLogs())
	err := s.emitter.keeper.write(ctx, c, waiting)
	if err != nil {
		s.mutex.Lock()
		s.engine.SaveAgain()
		s.mutex.Unlock()
		s.telemetry.WsWindowCheckpointFailures.Add(ctx, 1)
	} else {
		s.telemetry.WsWindowCheckpointDuration.Record(ctx, time.Since(now).Seconds())
		s.telemetry.WsWindowCheckpointSize.Record(ctx, int64(c.size))
		s.savedAt.Store(now.UnixMilli())
	}
	s.noteSaved(ctx, err)
	return err
}

// moment is the time of a checkpoint. A partition has its own: how far it has been
// read, which is where whoever restores it goes on.
func (s *shard) moment(now time.Time) int64 {
	if s.partition == nil {
		return now.UnixMilli()
	}
	return max(1, s.clock) // 0 says that there is no checkpoint
}

// allTaken notes that no window waits. Where that fails, the next checkpoint will;
// a restart before it tells some windows a second time, with the same numbers.
func (s *shard) allTaken(ctx context.Context) {
	if s.emitter.keeper == nil || s.emitter.failed {
		return
	}
	if err := s.emitter.keeper.taken(ctx); err != nil {
		s.noteSaved(ctx, err)
	}
}

// noteSaved remembers whether the storage takes what it is given, and logs the
// begin and the end of a time in which it does not.
func (s *shard) noteSaved(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // it is the end that cut it off; Shutdown saves once more
	case !s.emitter.failed && err != nil && s.partition != nil:
		s.logger.Warn("The state of the partition cannot be saved; it is given up, and whoever has it next goes on from the last checkpoint",
			zap.Error(err))
	case !s.emitter.failed && err != nil:
		s.logger.Error("The state cannot be saved; windows go on, but a restart will go back to the last checkpoint. "+
			"Is the disk of the storage full?", zap.Stringer("storage", s.storage), zap.Error(err))
	case s.emitter.failed && err == nil:
		s.logger.Info("The state is saved again")
	}
	s.emitter.failed = err != nil
}
