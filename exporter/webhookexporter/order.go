// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protowire"
)

// exporterhelper's queue in storage puts what was on its way when the collector
// ended behind all that waits, so that after a restart a resolved alert would come
// before its firing. What follows puts it back to the front, before the queue is
// opened. It knows how exporterhelper keeps its place; should that change, it
// touches nothing and says so.

// queueKey is where exporterhelper keeps its place in the queue.
const queueKey = "qmv0"

// Fields of what is there: PersistentMetadata in exporterhelper's meta.proto.
const (
	fieldReadIndex  = 3
	fieldDispatched = 5
)

var errUnknownQueue = errors.New("the queue's place is kept in another way than expected")

// restoreOrder puts what was on its way back to the front of a queue in storage.
func (e *webhookExporter) restoreOrder(ctx context.Context, host component.Host) (err error) {
	if !e.queued() || e.queueInMemory() {
		return nil
	}
	id := *e.config.QueueConfig.Get().StorageID
	extension, ok := host.GetExtensions()[id].(storage.Extension)
	if !ok {
		return fmt.Errorf("sending_queue.storage: %s: no storage extension of that name is in service.extensions", id)
	}
	client, err := extension.GetClient(ctx, component.KindExporter, e.set.ID, pipeline.SignalLogs.String())
	if err != nil {
		return fmt.Errorf("sending_queue.storage: %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, client.Close(ctx)) }()
	place, err := client.Get(ctx, queueKey)
	if err != nil {
		return fmt.Errorf("sending_queue.storage: %s: %w", id, err)
	}
	restored, err := putBack(place)
	if err != nil {
		e.logger.Warn("Records that were on their way when the collector ended may come after later ones", zap.Error(err))
		return nil
	}
	if restored == nil {
		return nil
	}
	return client.Set(ctx, queueKey, restored)
}

// putBack gives the place in the queue before the one request was read that was on
// its way; nil where there was none.
func putBack(place []byte) (restored []byte, err error) {
	var read uint64
	var dispatched []uint64
	for rest := place; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return nil, errUnknownQueue
		}
		value := rest[n:]
		m := protowire.ConsumeFieldValue(number, kind, value)
		if m < 0 {
			return nil, errUnknownQueue
		}
		whole := rest[:n+m]
		rest = rest[n+m:]
		switch number {
		case fieldReadIndex:
			if read, m = protowire.ConsumeFixed64(value); kind != protowire.Fixed64Type || m < 0 {
				return nil, errUnknownQueue
			}
		case fieldDispatched:
			if dispatched, err = indexes(kind, value, dispatched); err != nil {
				return nil, err
			}
		default:
			restored = append(restored, whole...)
		}
	}
	if len(dispatched) == 0 {
		return nil, nil
	}
	if len(dispatched) > 1 || read == 0 || dispatched[0] != read-1 {
		return nil, fmt.Errorf("%w: %v was on its way, and %d is next", errUnknownQueue, dispatched, read)
	}
	restored = protowire.AppendTag(restored, fieldReadIndex, protowire.Fixed64Type)
	return protowire.AppendFixed64(restored, read-1), nil
}

// indexes reads a repeated fixed64, packed or not.
func indexes(kind protowire.Type, value []byte, to []uint64) ([]uint64, error) {
	switch kind {
	case protowire.Fixed64Type:
		index, n := protowire.ConsumeFixed64(value)
		if n < 0 {
			return nil, errUnknownQueue
		}
		return append(to, index), nil
	case protowire.BytesType:
		packed, n := protowire.ConsumeBytes(value)
		if n < 0 {
			return nil, errUnknownQueue
		}
		for len(packed) > 0 {
			index, n := protowire.ConsumeFixed64(packed)
			if n < 0 {
				return nil, errUnknownQueue
			}
			to, packed = append(to, index), packed[n:]
		}
		return to, nil
	default:
		return nil, errUnknownQueue
	}
}
