// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// decoder decodes messages. One that cannot be decoded is counted and logged; it is dropped,
// or becomes a record.
type decoder struct {
	reader      *reader
	name        string // of the partition
	unmarshaler plog.Unmarshaler
	place       func(key []byte) int // the partition of a stream
	warned      struct{ undecodable, misplaced bool }
}

func newDecoder(r *reader, log Log) *decoder {
	d := &decoder{reader: r, name: log.String(), unmarshaler: &plog.ProtoUnmarshaler{}, place: log.Place}
	if r.engine.Encoding == OTLPJSON {
		d.unmarshaler = &plog.JSONUnmarshaler{}
	}
	return d
}

// decode returns the records of messages, and when the last message was written. Records
// without an ObservedTimestamp get the time at which their message was written.
func (d *decoder) decode(ctx context.Context, messages []Message) (plog.Logs, time.Time) {
	all := plog.NewLogs()
	var written time.Time
	d.reader.engine.Telemetry.Messages.Add(ctx, int64(len(messages)))
	for i := range messages {
		message := &messages[i]
		if message.Written.After(written) {
			written = message.Written
		}
		logs, err := d.unmarshal(message)
		if err != nil {
			d.reject(ctx, message, err)
			if d.reader.engine.Violations {
				d.violation(message, all)
			}
			continue
		}
		d.check(ctx, message, logs)
		observe(logs, pcommon.NewTimestampFromTime(message.Written))
		logs.ResourceLogs().MoveAndAppendTo(all.ResourceLogs())
	}
	return all, written
}

func (d *decoder) unmarshal(message *Message) (logs plog.Logs, err error) {
	if message.Err != nil {
		return logs, message.Err
	}
	return d.unmarshaler.UnmarshalLogs(message.Value)
}

// observe stamps the records without an ObservedTimestamp.
func observe(logs plog.Logs, at pcommon.Timestamp) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if record.ObservedTimestamp() == 0 {
					record.SetObservedTimestamp(at)
				}
			}
		}
	}
}

func (d *decoder) reject(ctx context.Context, message *Message, err error) {
	d.reader.engine.Telemetry.Refused.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", "undecodable")))
	if d.warned.undecodable {
		return
	}
	d.warned.undecodable = true
	d.reader.logger.Warn("Message cannot be decoded and is dropped; further ones are only counted. Check the encoding of its producer",
		zap.Int64("offset", message.Offset), zap.String("encoding", d.reader.engine.Encoding), zap.Error(err))
}

const (
	// maxViolationBody is the maximum size of a message that is kept, in bytes.
	maxViolationBody = 4 << 10
	// undecodable is the reason of a violation.
	undecodable = "undecodable_message"
)

// violation adds the record of a message that cannot be decoded. Its stream is unknown. So
// its region is the partition: each partition has a series of its own, which only the
// owner of the partition emits.
func (d *decoder) violation(message *Message, to plog.Logs) {
	resource := to.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), wsevent.Tags{TenantID: wsevent.Unknown, Region: d.name, ChannelType: wsevent.Unknown})
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(wsevent.ProtocolViolation)
	at := pcommon.NewTimestampFromTime(message.Written)
	record.SetTimestamp(at)
	record.SetObservedTimestamp(at)
	record.Attributes().PutStr(wsevent.ViolationReason, undecodable)
	body := message.Value[:min(len(message.Value), maxViolationBody)]
	record.Body().SetStr(strings.ToValidUTF8(string(body), "\uFFFD"))
}

// check detects streams in a partition that is not theirs. Their windows would be counted
// in parts, each with totals of its own.
func (d *decoder) check(ctx context.Context, message *Message, logs plog.Logs) {
	for _, resource := range logs.ResourceLogs().All() {
		tags := wslog.TagsOf(resource.Resource().Attributes())
		place := d.place(wsevent.StreamKey(tags.TenantID, tags.Region))
		if place == int(d.reader.number) {
			continue
		}
		d.reader.engine.Telemetry.Misplaced.Add(ctx, 1)
		if !d.warned.misplaced {
			d.warned.misplaced = true
			d.reader.logger.Error(fmt.Sprintf("Stream is in another partition than its own, so its windows are not exact; further cases are only counted. "+
				"Check that %s, and that the number of partitions was not changed", d.reader.engine.Placement),
				zap.String("tenant_id", tags.TenantID), zap.String("region", tags.Region),
				zap.Int64("offset", message.Offset), zap.Int("its_partition", place))
		}
		return
	}
}
