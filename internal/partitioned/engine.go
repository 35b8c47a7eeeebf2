// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package partitioned reads event records from the partitions of a broker, for the
// receivers ccaas_kafka and ccaas_rabbitmq. The ws_window processor follows in the pipeline,
// and keeps the state of its windows with the partition (see partition.Partition).
//
// What is the same for all brokers is here: a partition is claimed, its state is restored,
// it is read from the position that was saved with the state, and after any error all of
// that begins anew. A Log is what a broker has to provide.
package partitioned

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// Why an assignment ends.
var (
	// ErrRevoked is the reason where another collector will own the partition.
	ErrRevoked = errors.New("partition revoked")
	// ErrLost is the reason where another collector may own the partition already.
	ErrLost = errors.New("partition lost")
)

// Encodings of messages.
const (
	OTLPProto = "otlp_proto"
	OTLPJSON  = "otlp_json"
)

// Telemetry are the instruments of a receiver.
type Telemetry struct {
	CheckpointDuration metric.Float64Histogram
	CheckpointFailures metric.Int64Counter
	Lost               metric.Int64Counter
	Messages           metric.Int64Counter
	Misplaced          metric.Int64Counter
	Refused            metric.Int64Counter // with the reason
	Replayed           metric.Int64Counter
	RestoreDuration    metric.Float64Histogram
}

// Settings are those of an Engine.
type Settings struct {
	Component   string // type of the receiver
	Alternative string // continues the error for a pipeline without ws_window
	Encoding    string
	Placement   string // what places every stream in its partition, in a log record
	Violations  bool   // a message that cannot be decoded becomes a record
	Next        consumer.Logs
	Report      *receiverhelper.ObsReport
	Telemetry   Telemetry
	Status      *Status
	Logger      *zap.Logger

	RetryInterval time.Duration // minimum wait after an error
	RevokeTimeout time.Duration // in which the owner of the state gives a partition up
	Claim         func(ctx context.Context, number int32, logger *zap.Logger) (Log, error)
}

// Engine reads the assigned partitions.
type Engine struct {
	Settings

	mutex   sync.Mutex
	readers map[int32]*reader
}

// New makes an engine without partitions.
func New(settings Settings) *Engine {
	return &Engine{Settings: settings, readers: map[int32]*reader{}}
}

// Assign starts to read partitions, until ctx ends or they are revoked.
func (e *Engine) Assign(ctx context.Context, numbers []int32) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for _, number := range numbers {
		if _, ok := e.readers[number]; ok {
			continue
		}
		r := &reader{engine: e, number: number, logger: e.Logger.With(zap.Int32("partition", number)), done: make(chan struct{})}
		reading, stop := context.WithCancelCause(ctx)
		r.stop = stop
		e.readers[number] = r
		r.logger.Info("Partition assigned")
		go r.run(reading)
	}
}

// Revoke ends partitions, and waits for their end.
func (e *Engine) Revoke(numbers []int32, why error) {
	e.mutex.Lock()
	var ending []*reader
	for _, number := range numbers {
		if r, ok := e.readers[number]; ok {
			delete(e.readers, number)
			ending = append(ending, r)
		}
	}
	e.mutex.Unlock()
	for _, r := range ending {
		r.stop(why)
	}
	for _, r := range ending {
		<-r.done
		r.logger.Info("Partition revoked", zap.NamedError("reason", why))
	}
}

// Assigned returns the numbers of the assigned partitions.
func (e *Engine) Assigned() []int32 {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	numbers := make([]int32, 0, len(e.readers))
	for number := range e.readers {
		numbers = append(numbers, number)
	}
	return numbers
}

// Active returns the partitions that are read.
func (e *Engine) Active() map[int32]*Assignment {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	active := make(map[int32]*Assignment, len(e.readers))
	for number, r := range e.readers {
		if a := r.active.Load(); a != nil {
			active[number] = a
		}
	}
	return active
}

// ObserveAssigned observes the number of partitions that are read.
func (e *Engine) ObserveAssigned(_ context.Context, o metric.Int64Observer) error {
	o.Observe(int64(len(e.Active())))
	return nil
}

// ObserveLag observes the messages that are not read yet, by partition.
func (e *Engine) ObserveLag(_ context.Context, o metric.Int64Observer) error {
	for number, a := range e.Active() {
		lag, _ := a.LagAndSaved()
		o.Observe(lag, metric.WithAttributes(attribute.Int64("partition", int64(number))))
	}
	return nil
}
