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
)

const (
	// lookEvery is how often the wall clock is looked at, and so how much later
	// than due a window leaves.
	lookEvery = 50 * time.Millisecond
	// retryEvery is how long to wait after downstream has refused windows.
	retryEvery = time.Second
	// maxEmitted is how many windows leave in one plog.Logs.
	maxEmitted = 1_000
)

// emitter is what belongs to the goroutine that runs, and to Start and Shutdown
// while it does not.
type emitter struct {
	keeper   *keeper   // nil without a storage
	leftover plog.Logs // windows of before a restart, which go first
	tried    time.Time // the latest checkpoint
	refused  bool      // downstream took no windows the last time
	failed   bool      // the latest checkpoint did not reach the storage
}

// run emits windows as they end, until ctx does. Where there is a storage, a
// window is on it before it leaves, so that totals never run backwards.
func (p *windowProcessor) run(ctx context.Context) {
	for {
		now := time.Now()
		p.look(now)
		if p.due(now) {
			_ = p.save(ctx, now, false) // told there
		}
		pause := lookEvery
		err := p.emit(ctx, now)
		if err != nil {
			pause = retryEvery
		}
		p.tellRefusal(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look lets the wall clock act on the windows.
func (p *windowProcessor) look(now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.engine.Advance(now.UnixMilli())
	p.drain()
}

// tellRefusal logs the begin and the end of a time in which downstream takes no
// windows, not every attempt.
func (p *windowProcessor) tellRefusal(err error) {
	switch {
	case !p.emitter.refused && err != nil:
		p.logger.Warn("Downstream refuses windows; they wait and are offered again",
			zap.Int("waiting", p.waitingWindows()), zap.Duration("every", retryEvery), zap.Error(err))
	case p.emitter.refused && err == nil:
		p.logger.Info("Downstream takes windows again")
	}
	p.emitter.refused = err != nil
}

// emit sends the windows that wait, the oldest first. Those that downstream
// refuses go on waiting; those it refuses for good are counted and left behind.
func (p *windowProcessor) emit(ctx context.Context, now time.Time) error {
	if p.emitter.leftover.LogRecordCount() > 0 {
		logs := plog.NewLogs()
		p.emitter.leftover.CopyTo(logs)
		if err := p.send(ctx, logs); err != nil {
			return err
		}
		p.emitter.leftover = plog.NewLogs()
	}
	for {
		windows := p.oldest(maxEmitted)
		if len(windows) == 0 {
			p.allTaken(ctx)
			return nil
		}
		if err := p.send(ctx, encode(windows, now)); err != nil {
			return err
		}
		p.sent(len(windows))
	}
}

// send offers windows to downstream. An error says that they have to wait.
func (p *windowProcessor) send(ctx context.Context, logs plog.Logs) error {
	count := logs.LogRecordCount()
	err := p.next.ConsumeLogs(ctx, logs)
	if !consumererror.IsPermanent(err) {
		return err
	}
	p.telemetry.WsWindowRefusedWindows.Add(ctx, int64(count))
	p.logger.Error("Downstream refused windows for good; the totals in the next ones include them",
		zap.Int("windows", count), zap.Error(err))
	return nil
}

// oldest gives up to n of the windows that wait. With a storage that works, only
// those that are on it may leave.
func (p *windowProcessor) oldest(n int) []wsevent.Window {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	ready := len(p.waiting)
	if p.emitter.keeper != nil && !p.emitter.failed {
		ready = p.saved
	}
	return p.waiting[:min(ready, n)]
}

func (p *windowProcessor) sent(n int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.waiting = p.waiting[n:]
	p.saved = max(0, p.saved-n)
	if len(p.waiting) == 0 {
		p.waiting = nil
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
		windows[i].Tags.Put(resource.Resource().Attributes())
		scope := resource.ScopeLogs().AppendEmpty()
		scope.Scope().SetName(metadata.ScopeName)
		record := scope.LogRecords().AppendEmpty()
		record.SetObservedTimestamp(observed)
		windows[i].Encode(record)
	}
	return logs
}
