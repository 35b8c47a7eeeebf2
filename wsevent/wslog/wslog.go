// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package wslog encodes and decodes the records of package wsevent as pdata.
package wslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// PutTags writes tags as attributes.
func PutTags(attributes pcommon.Map, t wsevent.Tags) {
	if t.Overflow {
		attributes.EnsureCapacity(2)
		attributes.PutBool(wsevent.Overflow, true)
		if t.TenantID != "" {
			attributes.PutStr(wsevent.TenantID, t.TenantID)
		}
		return
	}
	attributes.EnsureCapacity(3)
	attributes.PutStr(wsevent.TenantID, t.TenantID)
	attributes.PutStr(wsevent.Region, t.Region)
	attributes.PutStr(wsevent.ChannelType, t.ChannelType)
}

// TagsOf reads the dimensions among attributes; those that are missing, empty
// or no string are Unknown.
func TagsOf(attributes pcommon.Map) wsevent.Tags {
	if overflow, ok := attributes.Get(wsevent.Overflow); ok && overflow.Bool() {
		tags := wsevent.Tags{Overflow: true}
		if tenant, of := attributes.Get(wsevent.TenantID); of {
			tags.TenantID = tenant.Str()
		}
		return tags
	}
	return wsevent.Tags{
		TenantID:    dimension(attributes, wsevent.TenantID),
		Region:      dimension(attributes, wsevent.Region),
		ChannelType: dimension(attributes, wsevent.ChannelType),
	}
}

func dimension(attributes pcommon.Map, name string) string {
	value, ok := attributes.Get(name)
	if !ok || value.Str() == "" {
		return wsevent.Unknown
	}
	return value.Str()
}

// EncodeWindow writes a window into a new log record. The caller puts the tags on the
// resource as well. A value that is not known is present and empty: the
// clock's skew where it is not measured, the payload where no message of the series
// ever had a size, the drops where no close of it was ever marked as abnormal or not.
func EncodeWindow(record plog.LogRecord, w *wsevent.Window) {
	record.SetEventName(wsevent.ThroughputMetric)
	record.SetTimestamp(pcommon.Timestamp(max(0, w.End) * 1e6))

	body := record.Body().SetEmptyMap()
	body.EnsureCapacity(9)
	body.PutStr(wsevent.KeyMetric, wsevent.ThroughputMetric)
	PutTags(body.PutEmptyMap(wsevent.KeyTags), w.Tags)
	putFields(body.PutEmptyMap(wsevent.KeyFields), w)
	putTotals(body.PutEmptyMap(wsevent.KeyTotals), w)
	body.PutInt(wsevent.KeyTimestamp, int64(w.Start))
	body.PutInt(wsevent.KeyWindowEnd, int64(w.End))
	body.PutInt(wsevent.KeyStep, w.Step.Milliseconds())
	if w.SessionsKnown {
		putSessions(body, w)
	}
}

func putFields(fields pcommon.Map, w *wsevent.Window) {
	fields.EnsureCapacity(18)
	fields.PutInt(wsevent.FieldActiveConnections, w.ActiveConnections)
	fields.PutDouble(wsevent.FieldMessagesPerSecond, w.MessagesPerSecond())
	if rate := fields.PutEmpty(wsevent.FieldDropRatePercent); w.DropRateKnown() {
		rate.SetDouble(w.DropRatePercent())
	}
	putSums(fields, w, &w.Counts, func(s *wsevent.Sum) string { return s.Field })
	if skew := fields.PutEmpty(wsevent.FieldClockSkew); w.ClockSkewKnown {
		skew.SetDouble(w.ClockSkew)
	}
	fields.PutBool(wsevent.FieldComplete, w.Complete)
	if w.Reconciled.UnreconciledKnown {
		fields.PutInt(wsevent.FieldUnreconciled, w.Reconciled.Unreconciled)
	}
	if w.Reconciled.StuckKnown {
		fields.PutInt(wsevent.FieldStuck, w.Reconciled.Stuck)
	}
	if w.Healed != (wsevent.Healed{}) {
		fields.PutInt(wsevent.FieldHealedSince, int64(w.Healed.Since))
		fields.PutInt(wsevent.FieldHealedUntil, int64(w.Healed.Until))
	}
}

func putTotals(totals pcommon.Map, w *wsevent.Window) {
	totals.EnsureCapacity(12)
	putReconstructed(totals, &w.Reconstructed)
	totals.PutInt(wsevent.TotalSince, int64(w.Since))
	putSums(totals, w, &w.Totals, func(s *wsevent.Sum) string { return s.Total })
}

// putReconstructed writes the sums of reconstructed events. Most series have none.
func putReconstructed(totals pcommon.Map, r *wsevent.Reconstructed) {
	if *r == (wsevent.Reconstructed{}) {
		return
	}
	totals.PutInt(wsevent.TotalReconstructedOpened, r.Opened)
	totals.PutInt(wsevent.TotalReconstructedClosed, r.Closed)
	totals.PutInt(wsevent.TotalReconstructedPresent, r.Present)
}

// putSums writes counts of a window under the keys that key returns.
func putSums(into pcommon.Map, w *wsevent.Window, counts *wsevent.Counts, key func(*wsevent.Sum) string) {
	for i := range wsevent.Sums {
		sum := &wsevent.Sums[i]
		known := sum.Known == nil || sum.Known(w)
		if key(sum) == "" || !known && sum.Optional {
			continue
		}
		putKnown(into, key(sum), *sum.Of(counts), known)
	}
}

func putKnown(into pcommon.Map, key string, n int64, known bool) {
	if value := into.PutEmpty(key); known {
		value.SetInt(n)
	}
}

// Record is a decoded window record: the envelope checked, the numbers as
// the sender stated them. A number that an older sender does not know is absent
// from Fields or Totals.
type Record struct {
	Tags       wsevent.Tags
	Start, End wsevent.UnixMilli
	Step       time.Duration     // 0 where the sender gives none
	Since      wsevent.UnixMilli // Start where the sender gives none
	Fields     pcommon.Map
	Totals     pcommon.Map
	Body       pcommon.Map // all of it; see Traces and Sessions
}

// IsWindow reports whether a record is a window record.
func IsWindow(record plog.LogRecord) bool { return record.EventName() == wsevent.ThroughputMetric }

// DecodeRecord decodes a window record. The error names the key that is missing
// or has another type than the contract gives it.
func DecodeRecord(record plog.LogRecord) (Record, error) {
	if record.Body().Type() != pcommon.ValueTypeMap {
		return Record{}, fmt.Errorf("window record: body is %s, want a map", record.Body().Type())
	}
	body := record.Body().Map()
	tags, err := mapAt(body, wsevent.KeyTags)
	if err != nil {
		return Record{}, err
	}
	decoded := Record{Tags: TagsOf(tags), Body: body}
	if decoded.Fields, err = mapAt(body, wsevent.KeyFields); err != nil {
		return Record{}, err
	}
	if decoded.Totals, err = mapAt(body, wsevent.KeyTotals); err != nil {
		return Record{}, err
	}
	start, ok := Int(body, wsevent.KeyTimestamp)
	if !ok {
		return Record{}, errors.New("window record: timestamp: missing or no number")
	}
	end, ok := Int(body, wsevent.KeyWindowEnd)
	if !ok {
		return Record{}, errors.New("window record: window_end: missing or no number")
	}
	if end <= start {
		return Record{}, fmt.Errorf("window record: window_end %d is not after timestamp %d", end, start)
	}
	decoded.Start, decoded.End, decoded.Since = wsevent.UnixMilli(start), wsevent.UnixMilli(end), wsevent.UnixMilli(start)
	if step, ok := Int(body, wsevent.KeyStep); ok && step > 0 && step <= end-start {
		decoded.Step = time.Duration(step) * time.Millisecond
	}
	if since, ok := Int(decoded.Totals, wsevent.TotalSince); ok {
		decoded.Since = wsevent.UnixMilli(since)
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

// Number reads a number, an integer or not: a record that went through JSON may hold
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

// AlertBody returns the body of an alert's record in Go's types: a map[string]any where it
// is an object. Text that is a JSON object is decoded, since some transports turn an object
// into text.
func AlertBody(body pcommon.Value) any {
	if body.Type() == pcommon.ValueTypeStr && strings.HasPrefix(body.Str(), "{") {
		var object map[string]any
		if json.Unmarshal([]byte(body.Str()), &object) == nil {
			return object
		}
	}
	return body.AsRaw()
}
