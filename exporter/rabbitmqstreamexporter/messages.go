// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// message is one OTLP message of one stream of events.
type message struct {
	partition int
	content   []byte
}

// splitter makes messages of batches: one for each stream of events, of at most max bytes.
type splitter struct {
	partitions int
	max        int

	marshaler plog.ProtoMarshaler
}

// split returns the messages of a batch, and the number of records that exceed max and
// are in no message.
//
// A batch is marshalled once. Since its resources are the elements of one repeated field, the
// encoded resources of a stream, one after the other, are the message of that stream.
func (s *splitter) split(logs plog.Logs) (messages []message, tooLarge int, err error) {
	encoded, err := s.marshaler.MarshalLogs(logs)
	if err != nil {
		return nil, 0, err
	}
	latest := map[string]int{} // message by stream
	for _, resource := range logs.ResourceLogs().All() {
		_, _, header := protowire.ConsumeTag(encoded)
		_, size := protowire.ConsumeBytes(encoded[header:])
		one := encoded[: header+size : header+size]
		encoded = encoded[header+size:]

		tags := wslog.TagsOf(resource.Resource().Attributes())
		key := wsevent.StreamKey(tags.TenantID, tags.Region)
		parts := [][]byte{one}
		if len(one) > s.max {
			var dropped int
			if parts, dropped, err = s.halve(resource); err != nil {
				return nil, 0, err
			}
			tooLarge += dropped
		}
		for _, part := range parts {
			if i, ok := latest[string(key)]; ok && len(messages[i].content)+len(part) <= s.max {
				messages[i].content = append(messages[i].content, part...)
				continue
			}
			latest[string(key)] = len(messages)
			messages = append(messages, message{rabbitmq.Partition(key, s.partitions), slices.Clip(part)})
		}
	}
	return messages, tooLarge, nil
}

// halve splits a resource until its parts are small enough, in the order of their records.
func (s *splitter) halve(resource plog.ResourceLogs) (parts [][]byte, tooLarge int, err error) {
	var halves [2]plog.Logs
	count, taken := records(resource), 0
	if count < 2 {
		return nil, count, nil
	}
	for i := range halves {
		halves[i] = plog.NewLogs()
		half := halves[i].ResourceLogs().AppendEmpty()
		resource.Resource().CopyTo(half.Resource())
		half.SetSchemaUrl(resource.SchemaUrl())
	}
	for _, scope := range resource.ScopeLogs().All() {
		var into [2]plog.ScopeLogs
		var begun [2]bool
		for _, record := range scope.LogRecords().All() {
			half := min(1, taken*2/count)
			if !begun[half] {
				begun[half] = true
				into[half] = halves[half].ResourceLogs().At(0).ScopeLogs().AppendEmpty()
				scope.Scope().CopyTo(into[half].Scope())
				into[half].SetSchemaUrl(scope.SchemaUrl())
			}
			record.CopyTo(into[half].LogRecords().AppendEmpty())
			taken++
		}
	}
	for _, half := range halves {
		encoded, err := s.marshaler.MarshalLogs(half)
		if err != nil {
			return nil, 0, err
		}
		if len(encoded) <= s.max {
			parts = append(parts, encoded)
			continue
		}
		smaller, dropped, err := s.halve(half.ResourceLogs().At(0))
		if err != nil {
			return nil, 0, err
		}
		parts, tooLarge = append(parts, smaller...), tooLarge+dropped
	}
	return parts, tooLarge, nil
}

func records(resource plog.ResourceLogs) (n int) {
	for _, scope := range resource.ScopeLogs().All() {
		n += scope.LogRecords().Len()
	}
	return n
}
