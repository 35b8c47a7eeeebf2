// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// ThroughputMetric is the EventName of a window record, and the value of
// "metric" in its body.
const ThroughputMetric = "ws_throughput"

// Keys of a window record's body, and of its "fields" and "totals" maps.
const (
	KeyMetric    = "metric"
	KeyTags      = "tags"
	KeyFields    = "fields"
	KeyTotals    = "totals"
	KeyTimestamp = "timestamp"  // int, unix ms: the window's start
	KeyWindowEnd = "window_end" // int, unix ms
	KeyStep      = "step_ms"    // int: from the start of a window to that of the next

	FieldActiveConnections  = "active_connections"
	FieldMessagesPerSecond  = "messages_per_second"
	FieldPayloadBytesTotal  = "payload_bytes_total"
	FieldDropRatePercent    = "drop_rate_percent"
	FieldMessagesSent       = "messages_sent"
	FieldMessagesReceived   = "messages_received"
	FieldMessagesUnsized    = "messages_unsized"
	FieldConnectionsOpened  = "connections_opened"
	FieldConnectionsClosed  = "connections_closed"
	FieldConnectionsDropped = "connections_dropped"
	FieldBackpressureEvents = "backpressure_events"
	FieldProtocolViolations = "protocol_violations"
	FieldLateEvents         = "late_events"
	FieldClockSkew          = "clock_skew_ms"
	FieldComplete           = "complete"

	TotalSince        = "since" // int, unix ms
	TotalPayloadBytes = "payload_bytes"
)

// Tags are the dimensions of a series. With Overflow set the others are empty, but for
// TenantID where only the tenant's own limit is reached.
type Tags struct {
	TenantID    string
	Region      string
	ChannelType string
	Overflow    bool
}

// Counts are the numbers that a window and the running totals have in common.
type Counts struct {
	MessagesSent       int64
	MessagesReceived   int64
	MessagesUnsized    int64 // of both, without a payload size
	PayloadBytes       int64
	ConnectionsOpened  int64
	ConnectionsClosed  int64
	ConnectionsDropped int64 // closed abnormally; also in ConnectionsClosed
	ClosesUnclassified int64 // in ConnectionsClosed; nothing says whether abnormally
	BackpressureEvents int64
	ProtocolViolations int64
	LateEvents         int64
}

// Add adds other to c. A sum that would exceed the largest int64 stays there. No count
// may be negative.
func (c *Counts) Add(other *Counts) {
	c.MessagesSent += other.MessagesSent
	c.MessagesReceived += other.MessagesReceived
	c.MessagesUnsized += other.MessagesUnsized
	c.PayloadBytes += other.PayloadBytes
	c.ConnectionsOpened += other.ConnectionsOpened
	c.ConnectionsClosed += other.ConnectionsClosed
	c.ConnectionsDropped += other.ConnectionsDropped
	c.ClosesUnclassified += other.ClosesUnclassified
	c.BackpressureEvents += other.BackpressureEvents
	c.ProtocolViolations += other.ProtocolViolations
	c.LateEvents += other.LateEvents
	if c.MessagesSent|c.MessagesReceived|c.MessagesUnsized|c.PayloadBytes|c.ConnectionsOpened|c.ConnectionsClosed|
		c.ConnectionsDropped|c.ClosesUnclassified|c.BackpressureEvents|c.ProtocolViolations|c.LateEvents < 0 {
		c.saturate()
	}
}

// saturate replaces the sums that have gone past the largest int64, which made them
// negative.
func (c *Counts) saturate() {
	for _, sum := range []*int64{
		&c.MessagesSent, &c.MessagesReceived, &c.MessagesUnsized, &c.PayloadBytes, &c.ConnectionsOpened, &c.ConnectionsClosed,
		&c.ConnectionsDropped, &c.ClosesUnclassified, &c.BackpressureEvents, &c.ProtocolViolations, &c.LateEvents,
	} {
		if *sum < 0 {
			*sum = math.MaxInt64
		}
	}
}

// AddSaturating returns a + b, at most math.MaxInt64. Neither may be negative.
func AddSaturating(a, b int64) int64 {
	if sum := a + b; sum >= 0 {
		return sum
	}
	return math.MaxInt64
}

// Messages is the number of messages, both ways.
func (c *Counts) Messages() int64 { return AddSaturating(c.MessagesSent, c.MessagesReceived) }

// PayloadKnown reports whether PayloadBytes is a number that is known: a message
// had a size, or there was none at all.
func (c *Counts) PayloadKnown() bool {
	messages := c.Messages()
	return messages == 0 || c.MessagesUnsized < messages
}

// DropsKnown reports whether ConnectionsDropped is a number that is known: a close
// was marked as abnormal or not, or there was none at all.
func (c *Counts) DropsKnown() bool {
	return c.ConnectionsClosed == 0 || c.ClosesUnclassified < c.ConnectionsClosed
}

// Saturated reports whether a sum has reached the largest int64. Of all sums only that of
// payload bytes can: it grows by more than one at a time.
func (c *Counts) Saturated() bool { return c.PayloadBytes == math.MaxInt64 }

// Window is one finished window of one series: [Start, End), event time.
type Window struct {
	Tags              Tags
	Start, End        int64 // unix ms
	Step              int64 // ms from the start of a window to that of the next
	ActiveConnections int64
	Counts            Counts
	ClockSkew         float64 // ms, positive: the platform is ahead
	ClockSkewKnown    bool
	Complete          bool

	Since  int64 // unix ms: where Totals begin
	Totals Counts
}

// MessagesPerSecond is (sent + received) / size.
func (w *Window) MessagesPerSecond() float64 {
	size := float64(w.End-w.Start) / 1000
	return float64(w.Counts.Messages()) / size
}

// dropRateKnown reports whether there is a drop rate: not where drops had no channels
// that could have been active.
func (w *Window) dropRateKnown() bool {
	return w.Totals.DropsKnown() && (w.ActiveConnections > 0 || w.Counts.ConnectionsDropped == 0)
}

// DropRatePercent is the share of the active connections that closed
// abnormally, 0 when none was open.
func (w *Window) DropRatePercent() float64 {
	if w.ActiveConnections == 0 {
		return 0
	}
	return float64(w.Counts.ConnectionsDropped) / float64(w.ActiveConnections) * 100
}

// Put writes the tags as attributes.
func (t Tags) Put(attributes pcommon.Map) {
	if t.Overflow {
		attributes.EnsureCapacity(2)
		attributes.PutBool(Overflow, true)
		if t.TenantID != "" {
			attributes.PutStr(TenantID, t.TenantID)
		}
		return
	}
	attributes.EnsureCapacity(3)
	attributes.PutStr(TenantID, t.TenantID)
	attributes.PutStr(Region, t.Region)
	attributes.PutStr(ChannelType, t.ChannelType)
}

// TagsOf reads the dimensions among attributes; those that are missing, empty
// or no string are Unknown.
func TagsOf(attributes pcommon.Map) Tags {
	if overflow, ok := attributes.Get(Overflow); ok && overflow.Bool() {
		tags := Tags{Overflow: true}
		if tenant, of := attributes.Get(TenantID); of {
			tags.TenantID = tenant.Str()
		}
		return tags
	}
	return Tags{
		TenantID:    dimension(attributes, TenantID),
		Region:      dimension(attributes, Region),
		ChannelType: dimension(attributes, ChannelType),
	}
}

func dimension(attributes pcommon.Map, name string) string {
	value, ok := attributes.Get(name)
	if !ok || value.Str() == "" {
		return Unknown
	}
	return value.Str()
}

// Encode writes the window into a fresh log record. The tags are the caller's to
// put on the resource as well. A value that is not known is present and empty: the
// clock's skew where it is not measured, the payload where no message of the series
// ever had a size, the drops where no close of it was ever marked as abnormal or not.
func (w *Window) Encode(record plog.LogRecord) {
	record.SetEventName(ThroughputMetric)
	record.SetTimestamp(pcommon.Timestamp(max(0, w.End) * 1e6))

	body := record.Body().SetEmptyMap()
	body.EnsureCapacity(7)
	body.PutStr(KeyMetric, ThroughputMetric)
	w.Tags.Put(body.PutEmptyMap(KeyTags))
	w.encodeFields(body.PutEmptyMap(KeyFields))
	w.encodeTotals(body.PutEmptyMap(KeyTotals))
	body.PutInt(KeyTimestamp, w.Start)
	body.PutInt(KeyWindowEnd, w.End)
	body.PutInt(KeyStep, w.Step)
}

func (w *Window) encodeFields(fields pcommon.Map) {
	fields.EnsureCapacity(15)
	fields.PutInt(FieldActiveConnections, w.ActiveConnections)
	fields.PutDouble(FieldMessagesPerSecond, w.MessagesPerSecond())
	putKnown(fields, FieldPayloadBytesTotal, w.Counts.PayloadBytes, w.Totals.PayloadKnown())
	if rate := fields.PutEmpty(FieldDropRatePercent); w.dropRateKnown() {
		rate.SetDouble(w.DropRatePercent())
	}
	w.Counts.encode(fields, w.Totals.DropsKnown())
	if skew := fields.PutEmpty(FieldClockSkew); w.ClockSkewKnown {
		skew.SetDouble(w.ClockSkew)
	}
	fields.PutBool(FieldComplete, w.Complete)
}

func (w *Window) encodeTotals(totals pcommon.Map) {
	totals.EnsureCapacity(11)
	totals.PutInt(TotalSince, w.Since)
	putKnown(totals, TotalPayloadBytes, w.Totals.PayloadBytes, w.Totals.PayloadKnown())
	w.Totals.encode(totals, w.Totals.DropsKnown())
}

// encode writes the counts whose names are the same in fields and totals: all
// but the payload's.
func (c *Counts) encode(into pcommon.Map, dropsKnown bool) {
	into.PutInt(FieldMessagesSent, c.MessagesSent)
	into.PutInt(FieldMessagesReceived, c.MessagesReceived)
	into.PutInt(FieldMessagesUnsized, c.MessagesUnsized)
	into.PutInt(FieldConnectionsOpened, c.ConnectionsOpened)
	into.PutInt(FieldConnectionsClosed, c.ConnectionsClosed)
	putKnown(into, FieldConnectionsDropped, c.ConnectionsDropped, dropsKnown)
	into.PutInt(FieldBackpressureEvents, c.BackpressureEvents)
	into.PutInt(FieldProtocolViolations, c.ProtocolViolations)
	into.PutInt(FieldLateEvents, c.LateEvents)
}

func putKnown(into pcommon.Map, key string, n int64, known bool) {
	if value := into.PutEmpty(key); known {
		value.SetInt(n)
	}
}

// Record is a window record as read back: the envelope checked, the numbers as
// the sender stated them. A number that an older sender does not know is absent
// from Fields or Totals, and nothing else suffers from it.
type Record struct {
	Tags       Tags
	Start, End int64 // unix ms
	Step       int64 // ms; 0 where the sender gives none
	Since      int64 // unix ms; Start where the sender gives none
	Fields     pcommon.Map
	Totals     pcommon.Map
}

// IsWindow tells a window record from the event records around it.
func IsWindow(record plog.LogRecord) bool { return record.EventName() == ThroughputMetric }

// DecodeRecord reads a window record. The error names the key that is missing
// or has another type than the contract gives it.
func DecodeRecord(record plog.LogRecord) (Record, error) {
	if record.Body().Type() != pcommon.ValueTypeMap {
		return Record{}, fmt.Errorf("window record: body is %s, want a map", record.Body().Type())
	}
	body := record.Body().Map()
	tags, err := mapAt(body, KeyTags)
	if err != nil {
		return Record{}, err
	}
	decoded := Record{Tags: TagsOf(tags)}
	if decoded.Fields, err = mapAt(body, KeyFields); err != nil {
		return Record{}, err
	}
	if decoded.Totals, err = mapAt(body, KeyTotals); err != nil {
		return Record{}, err
	}
	var ok bool
	if decoded.Start, ok = Int(body, KeyTimestamp); !ok {
		return Record{}, errors.New("window record: timestamp: missing or no number")
	}
	if decoded.End, ok = Int(body, KeyWindowEnd); !ok {
		return Record{}, errors.New("window record: window_end: missing or no number")
	}
	if decoded.End <= decoded.Start {
		return Record{}, fmt.Errorf("window record: window_end %d is not after timestamp %d", decoded.End, decoded.Start)
	}
	if decoded.Step, ok = Int(body, KeyStep); !ok || decoded.Step < 1 || decoded.Step > decoded.End-decoded.Start {
		decoded.Step = 0
	}
	if decoded.Since, ok = Int(decoded.Totals, TotalSince); !ok {
		decoded.Since = decoded.Start
	}
	return decoded, nil
}

func mapAt(body pcommon.Map, key string) (pcommon.Map, error) {
	value, ok := body.Get(key)
	if !ok {
		return pcommon.Map{}, fmt.Errorf("window record: %s: missing", key)
	}
	if value.Type() != pcommon.ValueTypeMap {
		return pcommon.Map{}, fmt.Errorf("window record: %s is %s, want a map", key, value.Type())
	}
	return value.Map(), nil
}

// Number reads a number, whole or not: a record that went through JSON may hold
// one as the other.
func Number(m pcommon.Map, key string) (float64, bool) {
	value, ok := m.Get(key)
	if !ok {
		return 0, false
	}
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return float64(value.Int()), true
	case pcommon.ValueTypeDouble:
		return value.Double(), true
	default:
		return 0, false
	}
}

// Int reads a whole number, which JSON may have turned into a double. One that no
// int64 holds is the nearest that does.
func Int(m pcommon.Map, key string) (int64, bool) {
	value, ok := m.Get(key)
	if !ok {
		return 0, false
	}
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return value.Int(), true
	case pcommon.ValueTypeDouble:
		return nearest(value.Double())
	default:
		return 0, false
	}
}

func nearest(f float64) (int64, bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case f >= math.MaxInt64:
		return math.MaxInt64, true
	case f <= math.MinInt64:
		return math.MinInt64, true
	default:
		return int64(f), true
	}
}
