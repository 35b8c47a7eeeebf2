// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/rabbitmqstreamexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/rabbitmqstreamexporter/internal/request"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/backend"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
)

// streamExporter publishes batches. Its embedded exporter is exporterhelper's, which queues
// and retries, and calls push for each attempt.
type streamExporter struct {
	exporter.Logs

	config    *Config
	set       exporter.Settings
	telemetry *metadata.TelemetryBuilder
	status    backend.Status

	mutex     sync.Mutex
	splitter  splitter
	publisher *publisher
	store     *state.Store     // nil without a storage
	pending   *request.Request // not confirmed; it is published before any other
	confirmed confirmedBatches // batches that push does not know to be confirmed
}

func newExporter(ctx context.Context, set exporter.Settings, config *Config) (exporter.Logs, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &streamExporter{
		config: config, set: set, telemetry: telemetry,
		splitter: splitter{partitions: config.Partitions, max: rabbitstream.MaxMessage},
	}
	e.Logs, err = exporterhelper.NewLogs(ctx, set, config, e.push,
		exporterhelper.WithStart(e.open),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}), // push has one
		exporterhelper.WithRetry(config.RetryConfig),
		exporterhelper.WithQueue(config.QueueConfig),
	)
	return e, err
}

// Keys of the state.
const (
	producerKey = "producer"
	pendingKey  = "pending"
)

// open reads the state. A broker that does not respond is not an error of Start.
func (e *streamExporter) open(ctx context.Context, host component.Host) error {
	e.status.Host = host
	options, err := e.config.ClientConfig.Options(ctx, e.set.ID.String())
	if err != nil {
		return err
	}
	prefix := cmp.Or(e.config.ProducerName, "otelcol-ccaas") + "-"
	producer := prefix + rand.Text()
	if id := e.config.storageID(); id != nil {
		if producer, err = e.restore(ctx, host, *id, prefix, producer); err != nil {
			return err
		}
	}
	e.publisher = newPublisher(e.config, options, producer)
	return nil
}

// restore reads the name of the producer and the request that was being published. The name
// is that of this exporter alone, whatever the configuration that several collectors may
// share: of two with one name the broker drops the messages of one as repetitions of the
// other's, without an error.
func (e *streamExporter) restore(ctx context.Context, host component.Host, id component.ID, prefix, producer string) (string, error) {
	client, err := state.Open(ctx, host, id, component.KindExporter, e.set.ID, "")
	if errors.Is(err, state.ErrUnavailable) {
		e.set.Logger.Error("Storage cannot be opened. A batch that is published during a restart may be in a stream twice", zap.Error(err))
		return producer, nil
	}
	if err != nil {
		return "", err
	}
	e.store = state.NewStore(client, id.String(), e.set.Logger, func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) })
	found, err := e.store.Load(ctx, pendingKey, func(value []byte) error {
		var confirmed []uint64
		e.pending, confirmed, err = request.Decode(value)
		for _, hash := range confirmed {
			e.confirmed.add(hash)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("storage: %s: %w", id, err)
	}
	if found && !e.publishable(e.pending) {
		e.pending = nil
	}
	var stored string
	if _, err = e.store.Load(ctx, producerKey, func(value []byte) error { stored = string(value); return nil }); err != nil {
		return "", fmt.Errorf("storage: %s: %w", id, err)
	}
	if strings.HasPrefix(stored, prefix) {
		producer = stored
	} else {
		e.store.Saved(e.store.Set(ctx, producerKey, []byte(producer)))
	}
	return producer, nil
}

// publishable reports whether a stored request is of the partitions that are configured now.
func (e *streamExporter) publishable(r *request.Request) bool {
	for _, part := range r.Parts {
		if part.Partition < 0 || part.Partition >= e.config.Partitions || len(part.Messages) == 0 {
			return false
		}
	}
	return true
}

// Shutdown publishes what a queue in memory still holds, in one attempt each.
func (e *streamExporter) Shutdown(ctx context.Context) error {
	err := e.Logs.Shutdown(ctx)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.publisher != nil {
		e.publisher.close()
	}
	if e.store != nil {
		err = errors.Join(err, e.store.Close(ctx))
	}
	e.telemetry.Shutdown()
	return err
}

// push publishes a batch. After an error it is called again with the same batch, or a
// restart later, or never.
func (e *streamExporter) push(ctx context.Context, logs plog.Logs) error {
	ctx, cancel := context.WithTimeout(ctx, e.config.ClientConfig.Timeout)
	defer cancel()
	e.mutex.Lock()
	defer e.mutex.Unlock()
	err := e.publish(ctx, logs)
	e.status.Report(err)
	return err
}

func (e *streamExporter) publish(ctx context.Context, logs plog.Logs) error {
	r, tooLarge, err := e.split(logs)
	if err != nil {
		return err
	}
	if e.pending != nil {
		hash := e.pending.Hash
		if err := e.complete(ctx); err != nil {
			return err
		}
		e.confirmed.add(hash)
	}
	if !e.confirmed.remove(r.Hash) && len(r.Parts) > 0 {
		if err := e.publisher.assign(ctx, r); err != nil {
			return err
		}
		e.pending = r
		e.save(ctx)
		if err := e.complete(ctx); err != nil {
			return err
		}
	}
	if tooLarge > 0 {
		e.telemetry.RabbitmqStreamDroppedRecords.Add(ctx, int64(tooLarge), metric.WithAttributes(attribute.String("reason", "too_large")))
		e.set.Logger.Error("Records exceed the maximum size of a message and are dropped",
			zap.Int("records", tooLarge), zap.Int("max_bytes", e.splitter.max))
	}
	return nil
}

// split makes the request of a batch.
func (e *streamExporter) split(logs plog.Logs) (*request.Request, int, error) {
	messages, tooLarge, err := e.splitter.split(logs)
	if err != nil {
		return nil, 0, err
	}
	r := &request.Request{}
	for _, message := range messages {
		r.Add(message.partition, message.content)
	}
	r.SetHash()
	return r, tooLarge, nil
}

// complete publishes the pending request until it is confirmed.
func (e *streamExporter) complete(ctx context.Context) error {
	begun := time.Now()
	done, err := e.publisher.publish(ctx, e.pending)
	e.telemetry.RabbitmqStreamPublishedBytes.Add(ctx, int64(done.size))
	e.telemetry.RabbitmqStreamDeduplicatedMessages.Add(ctx, int64(done.known))
	if err != nil {
		return err
	}
	messages := 0
	for _, part := range e.pending.Parts {
		messages += len(part.Messages)
	}
	e.telemetry.RabbitmqStreamPublishedMessages.Add(ctx, int64(messages))
	e.telemetry.RabbitmqStreamConfirmDuration.Record(ctx, time.Since(begun).Seconds())
	e.pending = nil
	return nil
}

// save stores the pending request before it is published. A restart completes it before
// anything else, and drops the batch when the queue has it again.
func (e *streamExporter) save(ctx context.Context) {
	if e.store != nil {
		e.store.Saved(e.store.Set(context.WithoutCancel(ctx), pendingKey, e.pending.Encode(e.confirmed.save())))
	}
}
