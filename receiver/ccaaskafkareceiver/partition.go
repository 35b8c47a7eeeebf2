// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// Why a partition ends here.
var (
	errRevoked = errors.New("the partition goes to another collector")
	errTaken   = errors.New("the partition was taken away")
)

// partitionReader reads a partition that the group has assigned to this collector. It has a
// client of its own, so that what befalls it is nothing to its neighbours.
type partitionReader struct {
	receiver *kafkaReceiver
	number   int32
	logger   *zap.Logger
	here     atomic.Pointer[assignment] // nil while it is being begun
	stop     context.CancelCauseFunc
	done     chan struct{}
}

// run reads the partition until it is taken away. Whatever goes wrong, it is begun
// anew from the last checkpoint, as another collector would.
func (p *partitionReader) run(ctx context.Context) {
	defer close(p.done)
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = time.Minute
	for {
		begun := time.Now()
		err := p.serve(ctx)
		p.receiver.status.set(ctx, int(p.number), err)
		if ctx.Err() != nil {
			return
		}
		p.logger.Error("The partition is begun anew from its last checkpoint", zap.Error(err))
		if time.Since(begun) > time.Minute {
			waits.Reset()
		}
		// Whoever was shut out waits until the group can have told it.
		if !pause(ctx, max(waits.NextBackOff(), 2*p.receiver.config.HeartbeatInterval)) {
			return
		}
	}
}

// serve claims the partition, lets its windows go on, and reads it. It returns why
// it ended.
func (p *partitionReader) serve(parent context.Context) error {
	begun := time.Now()
	client, err := p.receiver.partitionClient(p.number)
	if err != nil {
		return err
	}
	defer p.part(client)
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	a := &assignment{
		topic: p.receiver.config.Topic, number: p.number, state: p.receiver.config.stateTopic(),
		client: client, telemetry: p.receiver.telemetry, fail: fail,
	}
	partitions, id, err := p.prepare(ctx, client)
	if err != nil {
		return err
	}
	a.id = id
	if err := p.claim(ctx, a); err != nil {
		return err
	}
	position, end, err := p.position(ctx, a)
	if err != nil {
		return err
	}
	a.saved = position
	a.progress.Begin(position)
	defer p.release(ctx, a)
	if err := p.open(ctx, a, position); err != nil {
		return err
	}
	a.found.Forget()
	p.here.Store(a)
	defer p.here.Store(nil)
	p.receiver.telemetry.CcaasKafkaRestoreDuration.Record(ctx, time.Since(begun).Seconds())
	p.receiver.telemetry.CcaasKafkaReplayedMessages.Add(ctx, end-position)
	p.receiver.status.set(parent, int(p.number), nil)
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{a.topic: {a.number: kgo.NewOffset().At(position)}})
	return p.read(ctx, a, newDecoder(p, partitions))
}

// part closes the client. Its topics are taken out first: what it learns of them while
// it closes could begin to fetch again, with nobody left to end that.
func (p *partitionReader) part(client *kgo.Client) {
	client.PurgeTopicsFromClient(p.receiver.config.Topic, p.receiver.config.stateTopic())
	client.Close()
}

// open tells downstream that the partition is here, by a batch without records.
func (p *partitionReader) open(ctx context.Context, a *assignment, position int64) error {
	ctx = partition.NewContext(ctx, partition.Batch{Partition: a, Next: position})
	if err := p.receiver.next.ConsumeLogs(ctx, plog.NewLogs()); err != nil {
		return err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.leave == nil {
		return errors.New("nothing in the pipeline keeps the state of its partitions: put a ws_window processor behind ccaas_kafka, " +
			"with nothing that batches or filters between them; to read events only, use the kafka receiver")
	}
	return nil
}

// leaveTimeout bounds what downstream may take to give a partition up.
const leaveTimeout = 10 * time.Second

// release lets downstream give the partition up. It may save what it has where the
// partition is given away in peace, and has time for it.
func (p *partitionReader) release(ctx context.Context, a *assignment) {
	a.mutex.Lock()
	leave := a.leave
	a.mutex.Unlock()
	if leave == nil {
		return
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(leaveTimeout, p.receiver.config.RebalanceTimeout/2))
	defer cancel()
	if !errors.Is(context.Cause(ctx), errRevoked) {
		cancel()
	}
	leave(leaving)
}

// read takes what the partition holds downstream.
func (p *partitionReader) read(ctx context.Context, a *assignment, decoder *decoder) error {
	for {
		fetches := a.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", a, err)
		}
		var err error
		fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
			if fetched.Topic != a.topic || len(fetched.Records) == 0 || err != nil {
				return
			}
			next := fetched.Records[len(fetched.Records)-1].Offset + 1
			logs, written := decoder.decode(ctx, fetched.Records)
			batch := partition.Batch{Partition: a, Next: next, At: arrival(time.Now(), a.CaughtUpTo(), written)}
			if err = p.receiver.deliver(partition.NewContext(ctx, batch), p.logger, logs); err == nil {
				a.passed(next)
			}
		})
		if err != nil {
			return err
		}
	}
}

// live is how far reading may be behind for messages to count as just come.
const live = time.Second

// arrival is when messages came: now, or when the last was written if we are
// behind. A batch may hold what was written in many minutes then; the order in it is
// that of the records' ObservedTimestamp.
func arrival(now, readTo, written time.Time) time.Time {
	if now.Sub(readTo) <= live || written.After(now) {
		return now
	}
	return written
}

// lost says that messages were lost for the windows.
func (p *partitionReader) lost(ctx context.Context, a *assignment, n int64, why string) {
	a.hole = true
	p.receiver.telemetry.CcaasKafkaLostMessages.Add(ctx, n)
	p.logger.Error("Messages are missing in the windows, which are incomplete therefore", zap.Int64("messages", n), zap.String("reason", why))
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
