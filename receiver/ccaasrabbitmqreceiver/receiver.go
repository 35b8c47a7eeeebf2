// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/metadata"
)

// rabbitReceiver is a member of the group. The group assigns partitions, and each of them is
// read by itself.
type rabbitReceiver struct {
	config    *Config
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	engine    *partitioned.Engine
	options   rabbitstream.Options

	stop    context.CancelFunc
	running sync.WaitGroup
}

// revokeTimeout bounds the time in which the owner of the state gives a partition up.
const revokeTimeout = 10 * time.Second

func newReceiver(set receiver.Settings, config *Config, next consumer.Logs) (*rabbitReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             set.ID,
		Transport:              "rabbitmq",
		LongLivedCtx:           true,
		ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	r := &rabbitReceiver{config: config, set: set, telemetry: telemetry}
	r.engine = partitioned.New(partitioned.Settings{
		Component:  metadata.Type.String(),
		Placement:  "every producer is a rabbitmq_stream exporter with the same number of partitions",
		Encoding:   partitioned.OTLPProto,
		Violations: true,
		Next:       next,
		Report:     report,
		Telemetry: partitioned.Telemetry{
			CheckpointDuration: telemetry.CcaasRabbitmqCheckpointDuration, CheckpointFailures: telemetry.CcaasRabbitmqCheckpointFailures,
			Lost: telemetry.CcaasRabbitmqLostMessages, Messages: telemetry.CcaasRabbitmqMessages, Misplaced: telemetry.CcaasRabbitmqMisplacedMessages,
			Refused: telemetry.CcaasRabbitmqRefusedMessages, Replayed: telemetry.CcaasRabbitmqReplayedMessages, RestoreDuration: telemetry.CcaasRabbitmqRestoreDuration,
		},
		Logger:        set.Logger.With(zap.String("stream", config.Stream)),
		RetryInterval: pollInterval,
		RevokeTimeout: min(revokeTimeout, config.SessionTimeout),
		Claim:         r.claim,
	})
	return r, nil
}

// Start joins the group. An unreachable broker is not an error of Start.
func (r *rabbitReceiver) Start(ctx context.Context, host component.Host) error {
	if err := r.observe(); err != nil {
		return err
	}
	r.engine.Status = partitioned.NewStatus(func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) })
	var err error
	if r.options, err = r.config.ClientConfig.Options(ctx, r.set.ID.String()); err != nil {
		return err
	}
	g := &group{
		config: r.config, engine: r.engine, logger: r.set.Logger,
		prefix: r.config.Stream + "-" + r.config.GroupID,
	}
	if _, secure, _ := r.config.amqpAddress(); secure {
		if g.tls, err = r.config.ClientConfig.TLS.LoadTLSConfig(ctx); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	reading := context.WithoutCancel(ctx) // it outlives Start, and ends when partitions are revoked
	member, stop := context.WithCancel(reading)
	r.stop = stop
	r.running.Go(func() { g.run(member, reading) })
	r.running.Go(func() { r.watch(member) })
	return nil
}

// Shutdown leaves the group, with the state of every partition saved.
func (r *rabbitReceiver) Shutdown(context.Context) error {
	defer r.telemetry.Shutdown()
	if r.stop != nil {
		r.stop()
		r.running.Wait()
	}
	return nil
}

const (
	// queryInterval is the interval at which the ends of the streams are queried.
	queryInterval = 250 * time.Millisecond
	// queryTimeout is the maximum time of a query.
	queryTimeout = 5 * time.Second
)

// watch queries the ends of the streams.
func (r *rabbitReceiver) watch(ctx context.Context) {
	for pause.For(ctx, queryInterval) {
		var queries sync.WaitGroup
		for _, a := range r.engine.Active() {
			queries.Go(func() { queryEnd(ctx, a) })
		}
		queries.Wait()
	}
}

// queryEnd passes the end of a partition's stream to its assignment. An error ends the
// connection, which the reader reports.
func queryEnd(ctx context.Context, a *partitioned.Assignment) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	queriedAt := time.Now()
	if end, known, err := a.Log().(*partitionLog).end(ctx); err == nil && known {
		a.EndOffset(end, queriedAt)
	}
}

// observe registers what is read when own telemetry is collected.
func (r *rabbitReceiver) observe() error {
	return errors.Join(
		r.telemetry.RegisterCcaasRabbitmqAssignedPartitionsCallback(r.engine.ObserveAssigned),
		r.telemetry.RegisterCcaasRabbitmqLagCallback(r.engine.ObserveLag),
	)
}
