// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// countedElsewhere reports whether the events of a scope's records are in blocks, too.
func countedElsewhere(scope pcommon.Map) bool {
	elsewhere, ok := scope.Get(wsevent.BlockCounted)
	return ok && elsewhere.Bool()
}

// addBlock adds the events of a block, as add adds those of records. Of a block that
// cannot be decoded it adds a gap: the window of its arrival is incomplete.
func (b *batch) addBlock(record plog.LogRecord, now pcommon.Timestamp) {
	begin := len(b.events)
	err := wslog.OpenBlock(record, &b.reader)
	if err == nil {
		b.addEvents(wslog.Correction(record), observed(record), int64(now/1e6)) //nolint:gosec // it fits
		err = b.reader.Err()
	}
	if err == nil {
		return
	}
	at := milliseconds(record, now)
	if arrived := observed(record); arrived > 0 {
		at = arrived
	}
	b.events = append(b.events[:begin], window.Event{Kind: window.Gap, Time: at, Observed: at, GapEnd: at + 1})
	b.sessions.replace(b, begin)
	b.refused = append(b.refused, err)
}

// addEvents adds the events of the reader's block. arrived is for events without a time of
// arrival; it is 0 where it is unknown. All but the correction is in unix ms.
func (b *batch) addEvents(correction, arrived, now int64) {
	for e := &b.blockEvent; b.reader.Next(e); {
		event := window.Event{Kind: window.Kind(e.Kind), Observed: arrived, Channel: e.Channel, Bytes: e.Size}
		if at := e.Observed / 1e6; at >= year2000 {
			event.Observed = at
		}
		switch at := wslog.CorrectTime(e.Time, correction); {
		case at > 0:
			event.Time = at / 1e6
		case e.Observed > 0:
			event.Time = e.Observed / 1e6
		case arrived > 0:
			event.Time = arrived
		default:
			event.Time = now
		}
		if e.Kind.Message() {
			event.Unknown = !e.Sized
		} else {
			event.Bytes = 0
			event.Unknown = e.Kind == eventblock.ConnectionClose && e.Class == eventblock.Unclassified
			event.Abnormal = e.Kind == eventblock.ConnectionClose && e.Class == eventblock.Abnormal
		}
		b.events = append(b.events, event)
		b.sessions.addOfBlock(b, e)
	}
}

// reportRefused counts the blocks of a batch that could not be decoded, and logs the first.
func (p *windowProcessor) reportRefused(ctx context.Context, b *batch) {
	for _, err := range b.refused {
		p.telemetry.WsWindowRefusedBlocks.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", eventblock.Reason(err))))
		if !p.refusedBlock.Swap(true) {
			p.logger.Error("Event block cannot be decoded: its events are not counted, and its window is incomplete; further ones are only counted",
				zap.Error(err))
		}
	}
}
