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
	found, err := k.restore(ctx, p.engine, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", p.config.Storage, err)
	}
	p.emitter.keeper, p.emitter.leftover, p.emitter.tried = k, found.waiting, now
	p.tellRestored(found, now)
	return nil
}

// goWithout begins without a state and saves none. To watch is worth more than to
// remember, so a file that cannot be opened stops nothing; but it shows in health.
func (p *windowProcessor) goWithout(host component.Host, why error) {
	config := p.config.window()
	config.Saved = false
	p.engine = window.New(config)
	p.logger.Error("The storage cannot be opened. Windows are counted from nothing, and nothing is saved. "+
		"Is another collector using it? If its file is damaged, move the file of this processor out of the storage's directory and restart",
		zap.Error(why))
	componentstatus.ReportStatus(host, componentstatus.NewRecoverableErrorEvent(why))
}

func (p *windowProcessor) tellRestored(found restored, now time.Time) {
	if len(found.damage) > 0 {
		p.logger.Error("Some of the saved state is damaged. It was set aside and the rest is used; "+
			"totals it held begin anew, and channels it held count again from their next sign",
			zap.Error(found.telling()))
	}
	if found.savedAt == 0 {
		return
	}
	stats := p.stats()
	p.logger.Info("Went on from the saved state; windows of the time in between are incomplete",
		zap.Duration("away", now.Sub(time.UnixMilli(found.savedAt))), zap.Int("series", stats.Series),
		zap.Int("channels", stats.Channels), zap.Int("windows", found.waiting.LogRecordCount()))
}

// due says that it is time for a checkpoint: windows have ended, or the interval
// has. After a failure only the interval counts.
func (p *windowProcessor) due(now time.Time) bool {
	if p.emitter.keeper == nil {
		return false
	}
	if now.Sub(p.emitter.tried) >= p.config.CheckpointInterval {
		return true
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.saved < len(p.waiting) && !p.emitter.failed
}

// save makes a checkpoint: what has changed and a part of the channels, or with
// all every one of them. Events wait only while it is collected, not while it is
// written.
func (p *windowProcessor) save(ctx context.Context, now time.Time, all bool) error {
	p.emitter.tried = now
	p.mutex.Lock()
	// What a failed checkpoint had collected is lost, so the next takes everything.
	c := p.emitter.keeper.collect(p.engine, all || p.emitter.failed, now.UnixMilli())
	windows := p.waiting
	p.saved = len(windows)
	p.mutex.Unlock()

	waiting := plog.NewLogs()
	p.emitter.leftover.CopyTo(waiting)
	encode(windows, now).ResourceLogs().MoveAndAppendTo(waiting.ResourceLogs())
	err := p.emitter.keeper.write(ctx, c, waiting)
	if err != nil {
		p.mutex.Lock()
		p.engine.SaveAgain()
		p.mutex.Unlock()
		p.telemetry.WsWindowCheckpointFailures.Add(ctx, 1)
	} else {
		p.telemetry.WsWindowCheckpointDuration.Record(ctx, time.Since(now).Seconds())
		p.telemetry.WsWindowCheckpointSize.Record(ctx, int64(c.size))
		p.savedAt.Store(now.UnixMilli())
	}
	p.noteSaved(ctx, err)
	return err
}

// allTaken notes that no window waits. Where that fails, the next checkpoint will;
// a restart before it tells some windows a second time, with the same numbers.
func (p *windowProcessor) allTaken(ctx context.Context) {
	if p.emitter.keeper == nil || p.emitter.failed {
		return
	}
	if err := p.emitter.keeper.taken(ctx); err != nil {
		p.noteSaved(ctx, err)
	}
}

// noteSaved remembers whether the storage takes what it is given, and logs the
// begin and the end of a time in which it does not.
func (p *windowProcessor) noteSaved(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // it is the end that cut it off; Shutdown saves once more
	case !p.emitter.failed && err != nil:
		p.logger.Error("The state cannot be saved; windows go on, but a restart will go back to the last checkpoint. "+
			"Is the disk of the storage full?", zap.Stringer("storage", p.config.Storage), zap.Error(err))
	case p.emitter.failed && err == nil:
		p.logger.Info("The state is saved again")
	}
	p.emitter.failed = err != nil
}
