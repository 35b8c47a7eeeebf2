// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
)

// kafkaReceiver is a member of the group. The group's client only learns which
// partitions are here; each of them is read by itself.
type kafkaReceiver struct {
	config    *Config
	next      consumer.Logs
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	report    *receiverhelper.ObsReport
	status    *status

	connect []kgo.Opt // of every client
	member  *kgo.Client
	stop    context.CancelFunc
	running sync.WaitGroup

	mutex      sync.Mutex
	partitions map[int32]*partition
}

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
	return &kafkaReceiver{
		config: config, next: next, set: set, telemetry: telemetry, report: report,
		partitions: map[int32]*partition{},
	}, nil
}

// Start joins the group. That no broker is there is no error of Start.
func (r *kafkaReceiver) Start(ctx context.Context, host component.Host) error {
	if err := r.observe(); err != nil {
		return err
	}
	r.status = newStatus(func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) })
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
			r.take(revoked[r.config.Topic], errRevoked)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			r.take(lost[r.config.Topic], errTaken)
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
	r.running.Go(func() { r.hear(running) })
	r.running.Go(func() { r.watch(running) })
	return nil
}

// Shutdown leaves the group, with the state of every partition saved.
func (r *kafkaReceiver) Shutdown(context.Context) error {
	defer r.telemetry.Shutdown()
	if r.stop == nil {
		return nil
	}
	r.mutex.Lock()
	here := make([]int32, 0, len(r.partitions))
	for number := range r.partitions {
		here = append(here, number)
	}
	r.mutex.Unlock()
	r.take(here, errRevoked)
	r.member.Close() // whatever was assigned since goes with it
	r.stop()
	r.running.Wait()
	return nil
}

// assign begins to read partitions.
func (r *kafkaReceiver) assign(ctx context.Context, numbers []int32) {
	r.status.set(ctx, group, nil)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, number := range numbers {
		if _, ok := r.partitions[number]; ok {
			continue
		}
		p := &partition{
			receiver: r,
			number:   number,
			logger:   r.set.Logger.With(zap.String("topic", r.config.Topic), zap.Int32("partition", number)),
			done:     make(chan struct{}),
		}
		reading, stop := context.WithCancelCause(ctx)
		p.stop = stop
		r.partitions[number] = p
		p.logger.Info("A partition has come")
		go p.run(reading)
	}
}

// take ends partitions, and waits until they have.
func (r *kafkaReceiver) take(numbers []int32, why error) {
	r.mutex.Lock()
	var ending []*partition
	for _, number := range numbers {
		if p, ok := r.partitions[number]; ok {
			delete(r.partitions, number)
			ending = append(ending, p)
		}
	}
	r.mutex.Unlock()
	for _, p := range ending {
		p.stop(why)
	}
	for _, p := range ending {
		<-p.done
		p.logger.Info("A partition has gone", zap.NamedError("reason", why))
	}
}

// partitionClient makes the client of a partition.
func (r *kafkaReceiver) partitionClient(number int32) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.TransactionalID(fmt.Sprintf("ccaas_kafka.%s.%s.%d", r.config.GroupID, r.config.Topic, number)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that the end of a partition is reached whatever stands there
		kgo.FetchMaxPartitionBytes(r.config.MaxPartitionFetchSize),
		kgo.FetchMaxWait(time.Second),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // what is gone is found out by beginning anew
	}, r.connect...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for Kafka: %w", err)
	}
	return client, nil
}

// hear tells what the group's client complains of.
func (r *kafkaReceiver) hear(ctx context.Context) {
	for {
		fetches := r.member.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		if err := fetches.Err(); err != nil {
			r.set.Logger.Error("The group cannot be taken part in", zap.String("group_id", r.config.GroupID), zap.Error(err))
			r.status.set(ctx, group, err)
		}
		if !pause(ctx, time.Second) {
			return
		}
	}
}

const (
	// askEvery is how often the brokers are asked where the partitions end.
	askEvery = 250 * time.Millisecond
	// askTimeout is how long they may take before health shows it.
	askTimeout = 5 * time.Second
	// commitEvery is how often the group is told the positions. It is for tools that
	// show the lag of groups; nothing is read from there.
	commitEvery = 5 * time.Second
)

// watch finds out where the partitions end.
func (r *kafkaReceiver) watch(ctx context.Context) {
	admin, told := kadm.NewClient(r.member), time.Now()
	for pause(ctx, askEvery) {
		asked := time.Now()
		r.status.set(ctx, ends, r.ask(ctx, admin))
		if time.Since(told) >= commitEvery {
			told = asked
			r.commit(ctx)
		}
	}
}

// ask asks the brokers where the partitions end, and lets those that are here know.
func (r *kafkaReceiver) ask(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	listed, err := admin.ListCommittedOffsets(ctx, r.config.Topic)
	for number, a := range r.here() {
		if end, ok := listed.Lookup(r.config.Topic, number); ok && end.Err == nil {
			a.saw(end.Offset, asked)
		}
	}
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("brokers: %s: do not say where %s ends: %w", strings.Join(r.config.Brokers, ", "), r.config.Topic, err)
	}
	return nil
}

// commit tells the group the positions that are saved.
func (r *kafkaReceiver) commit(ctx context.Context) {
	offsets := map[int32]kgo.EpochOffset{}
	for number, a := range r.here() {
		_, saved := a.figures()
		offsets[number] = kgo.EpochOffset{Epoch: -1, Offset: saved}
	}
	if len(offsets) > 0 {
		r.member.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.config.Topic: offsets}, nil)
	}
}

// here are the partitions that are being read.
func (r *kafkaReceiver) here() map[int32]*assignment {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	here := make(map[int32]*assignment, len(r.partitions))
	for number, p := range r.partitions {
		if a := p.here.Load(); a != nil {
			here[number] = a
		}
	}
	return here
}
