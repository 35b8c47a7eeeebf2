// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// batch is what the windows need of a plog.Logs. It is read before the records
// go downstream, since they are no longer ours to read afterwards, and counted
// when downstream has accepted them.
type batch struct {
	groups []window.Group
	ends   []int // of the groups: events up to there
	events []window.Event

	touched    byte    // keeps the compiler from removing the loads
	refused    []error // of event blocks that could not be decoded
	reader     eventblock.Reader
	blockEvent eventblock.Event

	sessions *sessionReader // nil without sessions
	details  []window.Detail
	records  []plog.LogRecord // of the events
	copies   *batch           // records whose events are counted in blocks, which get a trace only; nil without any
}

// read takes the events out of logs; all other records are ignored.
func (b *batch) read(logs plog.Logs, now pcommon.Timestamp) {
	b.start()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			if to := b.destination(scope.Scope().Attributes()); to != nil {
				to.addScope(resource.Resource().Attributes(), scope, now)
			}
		}
	}
	b.finish()
	if b.copies != nil {
		b.copies.finish()
	}
}

func (b *batch) start() {
	b.groups, b.ends, b.events, b.refused = b.groups[:0], b.ends[:0], b.events[:0], b.refused[:0]
	b.sessions.start(b)
	if b.copies != nil {
		b.copies.start()
	}
}

// destination is where the events of a scope go: those that are in blocks, too, are read only
// for the traces of their sessions.
func (b *batch) destination(scope pcommon.Map) *batch {
	switch {
	case !countedElsewhere(scope):
		return b
	case b.sessions == nil:
		return nil
	case b.copies == nil:
		b.copies = &batch{sessions: b.sessions}
	}
	return b.copies
}

func (b *batch) addScope(resource pcommon.Map, scope plog.ScopeLogs, now pcommon.Timestamp) {
	begin := len(b.events)
	records := scope.LogRecords()
	for i := range records.Len() {
		if i%touchBatch == 0 {
			b.touch(records, i)
		}
		b.add(records.At(i), now)
	}
	if len(b.events) > begin {
		b.group(resource, scope.Scope().Attributes())
	}
}

// finish completes the groups, now that the events move no more.
func (b *batch) finish() {
	b.sessions.finish(b)
	begin := 0
	for i, end := range b.ends {
		b.groups[i].Events = b.events[begin:end]
		begin = end
	}
}

// touchBatch is how many records are loaded together: they fit the first-level cache.
const touchBatch = 32

// touch loads the ids of the channels of some records. The receiver has written them on
// another core: one at a time, each would be a cache miss; here the misses overlap.
func (b *batch) touch(records plog.LogRecordSlice, from int) {
	for i := from; i < min(from+touchBatch, records.Len()); i++ {
		if id, ok := records.At(i).Attributes().Get(wsevent.ChannelID); ok {
			if text := id.Str(); text != "" {
				b.touched ^= text[len(text)-1]
			}
		}
	}
}

// group makes the latest events those of a resource and a scope.
func (b *batch) group(resource, scope pcommon.Map) {
	tags := wslog.TagsOf(resource)
	b.groups = append(b.groups, window.Group{Tags: tags, Defaulted: defaulted(&tags, scope)})
	b.ends = append(b.ends, len(b.events))
}

// defaulted are the dimensions that events do not name: unknown ones, and those that
// the receiver has from its configuration.
func defaulted(tags *wsevent.Tags, scope pcommon.Map) (d window.Dimensions) {
	if tags.ChannelType == wsevent.Unknown {
		d |= window.ChannelType
	}
	if tags.Region == wsevent.Unknown {
		d |= window.Region
	}
	names, ok := scope.Get(wsevent.DimensionsDefaulted)
	if !ok || names.Type() != pcommon.ValueTypeSlice {
		return d
	}
	for _, name := range names.Slice().All() {
		switch name.Str() {
		case wsevent.TenantID:
			d |= window.Tenant
		case wsevent.Region:
			d |= window.Region
		case wsevent.ChannelType:
			d |= window.ChannelType
		}
	}
	return d
}

func (b *batch) add(record plog.LogRecord, now pcommon.Timestamp) {
	kind, ok := kindOf(record.EventName())
	if !ok {
		if wslog.IsBlock(record) {
			b.addBlock(record, now)
		}
		return
	}
	event := window.Event{Kind: kind, Time: milliseconds(record, now), Observed: observed(record)}
	attributes := record.Attributes()
	switch kind {
	case window.MessageSend, window.MessageReceive:
		event.Channel = channel(attributes)
		size, known := wslog.Int(attributes, wsevent.PayloadSize)
		event.Bytes, event.Unknown = max(0, size), !known || size < 0
	case window.ConnectionOpen:
		event.Channel = channel(attributes)
		event.Reconstructed = reconstructed(attributes, event.Time)
	case window.ConnectionClose:
		event.Channel = channel(attributes)
		abnormal, known := attributes.Get(wsevent.CloseAbnormal)
		event.Unknown = !known || abnormal.Type() != pcommon.ValueTypeBool
		event.Abnormal = !event.Unknown && abnormal.Bool()
		if reconstructed(attributes, 0) != window.Received {
			event.Reconstructed = window.Past
		}
	case window.Connected, window.Disconnected:
		number, _ := wslog.Int(attributes, wsevent.StreamConnection)
		event.Socket = uint16(number) //nolint:gosec // a receiver has at most 100
		event.Every = aliveInterval(attributes)
		event.Shutdown = isCause(attributes, wsevent.CauseShutdown)
	case window.Alive:
		if event.Every = aliveInterval(attributes); event.Every == 0 {
			return
		}
		event.Socket = window.AnySocket
		if number, ok := wslog.Int(attributes, wsevent.StreamConnection); ok {
			event.Socket = uint16(number) //nolint:gosec // a receiver has at most 100
		}
	case window.Reconciled:
		difference, known := wslog.Int(attributes, wsevent.ConnectionsUnreconciled)
		event.Bytes, event.Unknown = difference, !known
		event.Every, _ = wslog.Int(attributes, wsevent.ConnectionsStuck)
	case window.Gap, window.Healed:
		start, hasStart := wslog.Int(attributes, wsevent.GapStart)
		end, hasEnd := wslog.Int(attributes, wsevent.GapEnd)
		if !hasStart || !hasEnd {
			return
		}
		event.Time, event.GapEnd = start, end
		event.Unknown = isCause(attributes, wsevent.CauseInitialState) || partlyHealed(attributes)
	case window.Skew:
		if event.Skew, ok = wslog.Number(attributes, wsevent.ClockSkewOffset); !ok {
			return
		}
	}
	b.events = append(b.events, event)
	b.sessions.add(b, kind, record)
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
	case wsevent.StreamHealed:
		return window.Healed, true
	case wsevent.StreamReconciled:
		return window.Reconciled, true
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

// reconstructed is how an open or a close at a time, unix ms, is known: received on the
// socket unless it says otherwise.
func reconstructed(attributes pcommon.Map, at int64) window.Reconstructed {
	value, ok := attributes.Get(wsevent.EventReconstructed)
	if !ok || value.Type() != pcommon.ValueTypeBool || !value.Bool() {
		return window.Received
	}
	if opened, known := wslog.Int(attributes, wsevent.ChannelOpened); known && opened == at {
		return window.Past
	}
	return window.Present
}

// maxAliveInterval is the maximum time that a heartbeat covers, in ms.
const maxAliveInterval = 86_400_000

// aliveInterval is the time that a heartbeat covers, in ms; 0 where there are none.
func aliveInterval(attributes pcommon.Map) int64 {
	interval, _ := wslog.Int(attributes, wsevent.AliveInterval)
	return min(max(interval, 0), maxAliveInterval)
}

// year2000 is the earliest time of a clock, unix ms.
const year2000 = 946_684_800_000

// observed is when the receiver read the record, unix ms; 0 where it is unknown. A
// time before the year 2000 is not a clock's.
func observed(record plog.LogRecord) int64 {
	if at := int64(record.ObservedTimestamp() / 1e6); at >= year2000 { //nolint:gosec // it fits
		return at
	}
	return 0
}

// isCause reports whether a record about a stream has a cause.
func isCause(attributes pcommon.Map, name string) bool {
	cause, ok := attributes.Get(wsevent.StreamCause)
	return ok && cause.Str() == name
}

// partlyHealed reports whether more than the messages of a gap stays unknown.
func partlyHealed(attributes pcommon.Map) bool {
	unknown, ok := attributes.Get(wsevent.HealedUnknown)
	if !ok || unknown.Type() != pcommon.ValueTypeSlice {
		return false
	}
	for _, what := range unknown.Slice().All() {
		if what.Str() != wsevent.HealedMessages {
			return true
		}
	}
	return false
}

// channel is the hash by which a channel is followed; 0 when there is none.
func channel(attributes pcommon.Map) uint64 {
	id, ok := attributes.Get(wsevent.ChannelID)
	if !ok {
		return 0
	}
	return eventblock.HashString(id.Str())
}
