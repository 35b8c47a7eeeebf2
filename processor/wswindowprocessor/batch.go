// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"math"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// batch is what the windows need of a plog.Logs. It is read before the records
// go downstream, since they are no longer ours to read afterwards, and counted
// when downstream has accepted them.
type batch struct {
	groups []group
	events []window.Event
}

// group is the events of one set of tags, in order: events up to end.
type group struct {
	tags wsevent.Tags
	end  int
}

// read takes the events out of logs; every other record is nobody's business here.
func (b *batch) read(logs plog.Logs, now pcommon.Timestamp) {
	b.groups, b.events = b.groups[:0], b.events[:0]
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			records := scope.LogRecords()
			for i := range records.Len() {
				b.add(records.At(i), now)
			}
		}
		if end := len(b.events); end > b.grouped() {
			b.groups = append(b.groups, group{tags: wsevent.TagsOf(resource.Resource().Attributes()), end: end})
		}
	}
}

// grouped is how many of the events belong to a group.
func (b *batch) grouped() int {
	if len(b.groups) == 0 {
		return 0
	}
	return b.groups[len(b.groups)-1].end
}

func (b *batch) add(record plog.LogRecord, now pcommon.Timestamp) {
	kind, ok := kindOf(record.EventName())
	if !ok {
		return
	}
	event := window.Event{Kind: kind, Time: milliseconds(record, now)}
	if kind <= window.MessageReceive {
		event.Ahead = ahead(event.Time, record.ObservedTimestamp())
	}
	attributes := record.Attributes()
	switch kind {
	case window.MessageSend, window.MessageReceive:
		event.Channel = channel(attributes)
		size, known := wsevent.Int(attributes, wsevent.PayloadSize)
		event.Bytes, event.Unknown = max(0, size), !known || size < 0
	case window.ConnectionOpen:
		event.Channel = channel(attributes)
	case window.ConnectionClose:
		event.Channel = channel(attributes)
		abnormal, known := attributes.Get(wsevent.CloseAbnormal)
		event.Unknown = !known || abnormal.Type() != pcommon.ValueTypeBool
		event.Abnormal = !event.Unknown && abnormal.Bool()
	case window.Connected, window.Disconnected:
		number, _ := wsevent.Int(attributes, wsevent.StreamConnection)
		event.Socket = uint16(number) //nolint:gosec // a receiver has at most 100
		event.Every = aliveInterval(attributes)
	case window.Alive:
		if event.Every = aliveInterval(attributes); event.Every == 0 {
			return
		}
	case window.Gap:
		start, hasStart := wsevent.Int(attributes, wsevent.GapStart)
		end, hasEnd := wsevent.Int(attributes, wsevent.GapEnd)
		if !hasStart || !hasEnd {
			return
		}
		event.Time, event.GapEnd = start, end
	case window.Skew:
		if event.Skew, ok = wsevent.Number(attributes, wsevent.ClockSkewOffset); !ok {
			return
		}
	}
	b.events = append(b.events, event)
}

func kindOf(eventName string) (window.Kind, bool) {
	switch eventName {
	case wsevent.MessageSend:
		return window.MessageSend, true
	case wsevent.MessageReceive:
		return window.MessageReceive, true
	case wsevent.ConnectionOpen:
		return window.ConnectionOpen, true
	case wsevent.ConnectionClose:
		return window.ConnectionClose, true
	case wsevent.StreamBackpressure:
		return window.Backpressure, true
	case wsevent.ProtocolViolation:
		return window.Violation, true
	case wsevent.StreamConnected:
		return window.Connected, true
	case wsevent.StreamDisconnected:
		return window.Disconnected, true
	case wsevent.StreamGap:
		return window.Gap, true
	case wsevent.StreamAlive:
		return window.Alive, true
	case wsevent.ClockSkew:
		return window.Skew, true
	default:
		return 0, false
	}
}

// milliseconds is an event's time, unix ms: the platform's, else ours.
func milliseconds(record plog.LogRecord, now pcommon.Timestamp) int64 {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	if at == 0 {
		at = now
	}
	return int64(at / 1e6)
}

// maxAliveInterval is more than a sign of life ever speaks for, in ms.
const maxAliveInterval = 86_400_000

// aliveInterval is how much time a sign of life speaks for, in ms; 0 where there are none.
func aliveInterval(attributes pcommon.Map) int64 {
	interval, _ := wsevent.Int(attributes, wsevent.AliveInterval)
	return min(max(interval, 0), maxAliveInterval)
}

// ahead is how far the platform's clock is ahead of the receiver's, in ms.
func ahead(t int64, observed pcommon.Timestamp) int32 {
	if observed == 0 {
		return 0
	}
	return int32(min(max(t-int64(observed/1e6), math.MinInt32), math.MaxInt32)) //nolint:gosec // it fits
}

// channel is the hash by which a channel is followed; 0 when there is none. With
// a million channels, two of them share a hash once in some forty million tries.
func channel(attributes pcommon.Map) uint64 {
	id, ok := attributes.Get(wsevent.ChannelID)
	if !ok || id.Str() == "" {
		return 0
	}
	return max(1, xxhash.Sum64String(id.Str()))
}
