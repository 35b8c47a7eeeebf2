// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// decoder decodes messages. One that cannot be decoded is dropped, counted and logged.
type decoder struct {
	partition   *partitionReader
	unmarshaler plog.Unmarshaler
	place       func(key []byte) int // the partition of a stream
	warned      struct{ undecodable, misplaced bool }
}

func newDecoder(p *partitionReader, partitions int) *decoder {
	d := &decoder{partition: p, unmarshaler: &plog.ProtoUnmarshaler{}}
	if p.receiver.config.Encoding == otlpJSON {
		d.unmarshaler = &plog.JSONUnmarshaler{}
	}
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(p.receiver.config.Topic)
	d.place = func(key []byte) int { return partitioner.Partition(&kgo.Record{Key: key}, partitions) }
	return d
}

// decode returns the records of messages, and when the last message was written. Records
// without an ObservedTimestamp get the time at which their message was written.
func (d *decoder) decode(ctx context.Context, messages []*kgo.Record) (plog.Logs, time.Time) {
	all := plog.NewLogs()
	var written time.Time
	for _, message := range messages {
		if message.Attrs.IsControl() {
			continue
		}
		d.partition.receiver.telemetry.CcaasKafkaMessages.Add(ctx, 1)
		if message.Timestamp.After(written) {
			written = message.Timestamp
		}
		logs, err := d.unmarshaler.UnmarshalLogs(message.Value)
		if err != nil {
			d.reject(ctx, message, err)
			continue
		}
		d.check(ctx, message, logs)
		observe(logs, pcommon.NewTimestampFromTime(message.Timestamp))
		logs.ResourceLogs().MoveAndAppendTo(all.ResourceLogs())
	}
	return all, written
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

func (d *decoder) reject(ctx context.Context, message *kgo.Record, err error) {
	d.partition.receiver.telemetry.CcaasKafkaRefusedMessages.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", "undecodable")))
	if d.warned.undecodable {
		return
	}
	d.warned.undecodable = true
	d.partition.logger.Warn("Message cannot be decoded and is dropped; further ones are only counted. Check the encoding of its producer",
		zap.Int64("offset", message.Offset), zap.String("encoding", d.partition.receiver.config.Encoding), zap.Error(err))
}

// check detects streams in a partition that is not theirs. Their windows would be counted
// in parts, each with totals of its own.
func (d *decoder) check(ctx context.Context, message *kgo.Record, logs plog.Logs) {
	for _, resource := range logs.ResourceLogs().All() {
		tags := wslog.TagsOf(resource.Resource().Attributes())
		place := d.place(wsevent.StreamKey(tags.TenantID, tags.Region))
		if int32(place) == message.Partition { //nolint:gosec // Kafka's own number
			continue
		}
		d.partition.receiver.telemetry.CcaasKafkaMisplacedMessages.Add(ctx, 1)
		if !d.warned.misplaced {
			d.warned.misplaced = true
			d.partition.logger.Error("Stream is in another partition than its own, so its windows are not exact; further cases are only counted. "+
				"Check that every producer has the stream_partitioner, and that the number of partitions was not changed",
				zap.String("tenant_id", tags.TenantID), zap.String("region", tags.Region),
				zap.Int64("offset", message.Offset), zap.Int("its_partition", place))
		}
		return
	}
}
