// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
)

// kafkaReceiver is a member of the group. The group's client only gets the
// assignment of partitions; each of them is read by itself.
type kafkaReceiver struct {
	config    *Config
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	engine    *partitioned.Engine

	connect []kgo.Opt // of every client
	member  *kgo.Client
	stop    context.CancelFunc
	running sync.WaitGroup
}

// revokeTimeout bounds the time in which the owner of the state gives a partition up.
const revokeTimeout = 10 * time.Second

func newReceiver(set receiver.Settings, config *Config, next consumer.Logs) (*kafkaReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             set.ID,
		Transport:              "kafka",
		LongLivedCtx:           true,
		ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	r := &kafkaReceiver{config: config, set: set, telemetry: telemetry}
	r.engine = partitioned.New(partitioned.Settings{
		Component:   metadata.Type.String(),
		Alternative: "; to read events only, use the kafka receiver of the Collector's contrib distribution",
		Placement:   "every producer has the stream_partitioner",
		Encoding:    config.Encoding,
		Next:        next,
		Report:      report,
		Telemetry: partitioned.Telemetry{
			CheckpointDuration: telemetry.CcaasKafkaCheckpointDuration, CheckpointFailures: telemetry.CcaasKafkaCheckpointFailures,
			Lost: telemetry.CcaasKafkaLostMessages, Messages: telemetry.CcaasKafkaMessages, Misplaced: telemetry.CcaasKafkaMisplacedMessages,
			Refused: telemetry.CcaasKafkaRefusedMessages, Replayed: telemetry.CcaasKafkaReplayedMessages, RestoreDuration: telemetry.CcaasKafkaRestoreDuration,
		},
		Logger:        set.Logger.With(zap.String("topic", config.Topic)),
		RetryInterval: 2 * config.HeartbeatInterval,
		RevokeTimeout: min(revokeTimeout, config.RebalanceTimeout/2),
		Claim:         r.claim,
	})
	return r, nil
}

// Start joins the group. An unreachable broker is not an error of Start.
func (r *kafkaReceiver) Start(ctx context.Context, host component.Host) error {
	if err := r.observe(); err != nil {
		return err
	}
	r.engine.Status = partitioned.NewStatus(func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) })
	var err error
	if r.connect, err = r.config.connect(ctx, host, r.set.Logger); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // it outlives Start
	options := append([]kgo.Opt{
		kgo.ConsumeTopics(r.config.Topic),
		kgo.ConsumerGroup(r.config.GroupID),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(r.config.SessionTimeout),
		kgo.HeartbeatInterval(r.config.HeartbeatInterval),
		kgo.RebalanceTimeout(r.config.RebalanceTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			r.assign(running, assigned[r.config.Topic])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
			r.engine.Revoke(revoked[r.config.Topic], partitioned.ErrRevoked)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			r.engine.Revoke(lost[r.config.Topic], partitioned.ErrLost)
		}),
	}, r.connect...)
	if r.config.GroupInstanceID != "" {
		options = append(options, kgo.InstanceID(r.config.GroupInstanceID))
	}
	if r.member, err = kgo.NewClient(options...); err != nil {
		stop()
		return fmt.Errorf("cannot make a client for Kafka: %w", err)
	}
	r.member.PauseFetchTopics(r.config.Topic)
	r.stop = stop
	r.running.Go(func() { r.pollGroup(running) })
	r.running.Go(func() { r.watch(running) })
	return nil
}

// Shutdown leaves the group, with the state of every partition saved.
func (r *kafkaReceiver) Shutdown(context.Context) error {
	defer r.telemetry.Shutdown()
	if r.stop == nil {
		return nil
	}
	r.engine.Revoke(r.engine.Assigned(), partitioned.ErrRevoked)
	r.member.Close() // ends what was assigned since
	r.stop()
	r.running.Wait()
	return nil
}

// assign starts to read partitions.
func (r *kafkaReceiver) assign(ctx context.Context, numbers []int32) {
	r.engine.Status.Set(ctx, partitioned.Group, nil)
	r.engine.Assign(ctx, numbers)
}

// partitionClient returns the client of a partition.
func (r *kafkaReceiver) partitionClient(number int32) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.TransactionalID(fmt.Sprintf("ccaas_kafka.%s.%s.%d", r.config.GroupID, r.config.Topic, number)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that the end offset of a partition is reached
		kgo.FetchMaxPartitionBytes(r.config.MaxPartitionFetchSize),
		kgo.FetchMaxWait(time.Second),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a missing offset is an error, and the partition is claimed again
	}, r.connect...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for Kafka: %w", err)
	}
	return client, nil
}

// observe registers what is read when own telemetry is collected.
func (r *kafkaReceiver) observe() error {
	return errors.Join(
		r.telemetry.RegisterCcaasKafkaAssignedPartitionsCallback(r.engine.ObserveAssigned),
		r.telemetry.RegisterCcaasKafkaLagCallback(r.engine.ObserveLag),
	)
}
