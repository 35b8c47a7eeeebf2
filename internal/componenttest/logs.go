// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package componenttest

import (
	"context"

	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// LogsSink is a sink that refuses batches on demand.
type LogsSink struct {
	consumertest.LogsSink

	// Refuse returns the error with which a batch is refused; nil: it is accepted.
	Refuse func(plog.Logs) error
}

// ConsumeLogs stores a batch that is not refused.
func (s *LogsSink) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if s.Refuse != nil {
		if err := s.Refuse(logs); err != nil {
			return err
		}
	}
	return s.LogsSink.ConsumeLogs(ctx, logs)
}

// Blocks returns a batch in which event records that follow each other in a scope are an
// event block. The other records are the same.
func Blocks(logs plog.Logs) plog.Logs {
	blocks := plog.NewLogs()
	for _, resource := range logs.ResourceLogs().All() {
		to := blocks.ResourceLogs().AppendEmpty()
		resource.Resource().CopyTo(to.Resource())
		for _, scope := range resource.ScopeLogs().All() {
			into := to.ScopeLogs().AppendEmpty()
			scope.Scope().CopyTo(into.Scope())
			var events eventblock.Builder
			end := func() {
				if events.Len() > 0 {
					wslog.PutBlock(into.LogRecords().AppendEmpty(), &events, nil)
					events.Reset()
				}
			}
			for _, record := range scope.LogRecords().All() {
				e, ok := BlockEvent(record)
				if ok {
					events.Add(&e)
					continue
				}
				end()
				record.CopyTo(into.LogRecords().AppendEmpty())
			}
			end()
		}
	}
	return blocks
}

var blockKinds = map[string]eventblock.Kind{
	wsevent.ConnectionOpen: eventblock.ConnectionOpen, wsevent.ConnectionClose: eventblock.ConnectionClose,
	wsevent.MessageSend: eventblock.MessageSend, wsevent.MessageReceive: eventblock.MessageReceive,
}

// BlockEvent returns what a block has of an event record; ok is false for other records.
func BlockEvent(record plog.LogRecord) (e eventblock.Event, ok bool) {
	kind, ok := blockKinds[record.EventName()]
	if _, reconstructed := record.Attributes().Get(wsevent.EventReconstructed); !ok || reconstructed {
		return e, false
	}
	attributes := record.Attributes()
	e = eventblock.Event{
		Kind: kind, Time: int64(record.Timestamp()), Observed: int64(record.ObservedTimestamp()), //nolint:gosec // of tests
		ChannelID: text(attributes, wsevent.ChannelID), UserID: text(attributes, wsevent.UserID),
	}
	e.Channel = eventblock.Hash(e.ChannelID)
	switch kind {
	case eventblock.MessageSend, eventblock.MessageReceive:
		e.Size, e.Sized = wslog.Int(attributes, wsevent.PayloadSize)
	case eventblock.ConnectionClose:
		e.CloseReason = text(attributes, wsevent.CloseReason)
		e.CloseCode, e.HasCode = wslog.Int(attributes, wsevent.CloseCode)
		if abnormal, known := attributes.Get(wsevent.CloseAbnormal); known {
			e.Class = eventblock.Normal
			if abnormal.Bool() {
				e.Class = eventblock.Abnormal
			}
		}
	}
	return e, true
}

func text(attributes pcommon.Map, name string) []byte {
	value, ok := attributes.Get(name)
	if !ok {
		return nil
	}
	return []byte(value.Str())
}
