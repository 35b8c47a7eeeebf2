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

// run emits windows as they end, until ctx does.
func (p *windowProcessor) run(ctx context.Context) {
	refused := false
	for {
		pause := lookEvery
		err := p.emit(ctx, time.Now())
		if err != nil {
			pause = retryEvery
		}
		p.tellRefusal(refused, err)
		refused = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// tellRefusal logs the begin and the end of a time in which downstream takes no
// windows, not every attempt.
func (p *windowProcessor) tellRefusal(before bool, err error) {
	switch {
	case !before && err != nil:
		p.logger.Warn("Downstream refuses windows; they wait and are offered again",
			zap.Int("waiting", p.waitingWindows()), zap.Duration("every", retryEvery), zap.Error(err))
	case before && err == nil:
		p.logger.Info("Downstream takes windows again")
	}
}

// emit sends the windows that wait, the oldest first. Those that downstream
// refuses go on waiting; those it refuses for good are counted and left behind.
func (p *windowProcessor) emit(ctx context.Context, now time.Time) error {
	for {
		windows := p.due(now)
		if len(windows) == 0 {
			return nil
		}
		switch err := p.next.ConsumeLogs(ctx, encode(windows, now)); {
		case err == nil:
		case consumererror.IsPermanent(err):
			p.telemetry.WsWindowRefusedWindows.Add(ctx, int64(len(windows)))
			p.logger.Error("Downstream refused windows for good; the totals in the next ones include them",
				zap.Int("windows", len(windows)), zap.Error(err))
		default:
			return err
		}
		p.sent(len(windows))
	}
}

// due gives the oldest windows that wait, having looked at the wall clock.
func (p *windowProcessor) due(now time.Time) []wsevent.Window {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.engine.Advance(now.UnixMilli())
	p.waiting = append(p.waiting, p.engine.Drain()...)
	return p.waiting[:min(len(p.waiting), maxEmitted)]
}

func (p *windowProcessor) sent(n int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.waiting = p.waiting[n:]
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
