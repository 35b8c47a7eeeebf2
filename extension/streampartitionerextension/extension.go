// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package streampartitionerextension

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/streampartitionerextension/internal/stream"
)

// partitionerExtension is what the kafka exporter looks for by the method
// GetPartitioner.
type partitionerExtension struct {
	component.StartFunc
	component.ShutdownFunc
	logger *zap.Logger
	logged sync.Once
}

// GetPartitioner returns the partitioner by stream.
func (e *partitionerExtension) GetPartitioner() kgo.Partitioner { return partitioner{e} }

type partitioner struct{ *partitionerExtension }

// ForTopic returns the partitioner of a topic.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p, kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

// topicPartitioner places a message by the key of its stream, as Kafka's own
// clients place a message with that key.
type topicPartitioner struct {
	partitioner
	keyed kgo.TopicPartitioner
}

// RequiresConsistency keeps a stream in its partition while that is unavailable.
func (topicPartitioner) RequiresConsistency(*kgo.Record) bool { return true }

// none is no partition: the exporter fails with it, instead of sending a message
// to a wrong partition.
const none = -1

// Partition returns the partition of a message.
func (t topicPartitioner) Partition(message *kgo.Record, partitions int) int {
	key, err := stream.Key(message.Value)
	if err != nil {
		t.logged.Do(func() {
			t.logger.Error("A message cannot be placed by its stream, so it is refused. "+
				"Set encoding: otlp_proto and partition_logs_by_resource_attributes: true in the kafka exporter", zap.Error(err))
		})
		return none
	}
	return t.keyed.Partition(&kgo.Record{Key: key}, partitions)
}
