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

// Why an assignment ends.
var (
	errRevoked = errors.New("partition revoked")
	errLost    = errors.New("partition lost")
)

// partitionReader reads a partition that the group has assigned to this collector. It has a
// client of its own, so that its failures do not affect other partitions.
type partitionReader struct {
	receiver *kafkaReceiver
	number   int32
	logger   *zap.Logger
	active   atomic.Pointer[assignment] // nil while it is claimed
	stop     context.CancelCauseFunc
	done     chan struct{}
}

// run reads the partition until it is revoked. After any error it resumes from the last
// checkpoint, as another collector would.
func (p *partitionReader) run(ctx context.Context) {
	defer close(p.done)
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = time.Minute
	for {
		begun := time.Now()
		err := p.runOnce(ctx)
		p.receiver.status.set(ctx, int(p.number), err)
		if ctx.Err() != nil {
			return
		}
		p.logger.Error("Partition failed; it resumes from its last checkpoint", zap.Error(err))
		if time.Since(begun) > time.Minute {
			waits.Reset()
		}
		// A fenced reader waits until the group can have revoked the partition.
		if !pause(ctx, max(waits.NextBackOff(), 2*p.receiver.config.HeartbeatInterval)) {
			return
		}
	}
}

// runOnce claims the partition, restores its windows, and reads it. It returns why it
// ended.
func (p *partitionReader) runOnce(parent context.Context) error {
	begun := time.Now()
	client, err := p.receiver.partitionClient(p.number)
	if err != nil {
		return err
	}
	defer p.closeClient(client)
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
	a.lag.Start(position)
	defer p.release(ctx, a)
	if err := p.announce(ctx, a, position); err != nil {
		return err
	}
	a.snapshot.Release()
	p.active.Store(a)
	defer p.active.Store(nil)
	p.receiver.telemetry.CcaasKafkaRestoreDuration.Record(ctx, time.Since(begun).Seconds())
	p.receiver.telemetry.CcaasKafkaReplayedMessages.Add(ctx, end-position)
	p.receiver.status.set(parent, int(p.number), nil)
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{a.topic: {a.number: kgo.NewOffset().At(position)}})
	return p.read(ctx, a, newDecoder(p, partitions))
}

// closeClient closes the client. Its topics are purged first: a metadata update while it
// closes could start to fetch again.
func (p *partitionReader) closeClient(client *kgo.Client) {
	client.PurgeTopicsFromClient(p.receiver.config.Topic, p.receiver.config.stateTopic())
	client.Close()
}

// announce announces the partition downstream, by a batch without records.
func (p *partitionReader) announce(ctx context.Context, a *assignment, position int64) error {
	ctx = partition.NewContext(ctx, partition.Batch{Partition: a, Next: position})
	if err := p.receiver.next.ConsumeLogs(ctx, plog.NewLogs()); err != nil {
		return err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.onRevoke == nil {
		return errors.New("no component of the pipeline owns the state of its partitions: put a ws_window processor behind ccaas_kafka, " +
			"with nothing that batches or filters between them; to read events only, use the kafka receiver")
	}
	return nil
}

// revokeTimeout bounds the time in which the owner of the state gives a partition up.
const revokeTimeout = 10 * time.Second

// release revokes the partition from the owner of its state. The owner has time to save
// only where the group has revoked the partition: a lost one has another owner already.
func (p *partitionReader) release(ctx context.Context, a *assignment) {
	a.mutex.Lock()
	onRevoke := a.onRevoke
	a.mutex.Unlock()
	if onRevoke == nil {
		return
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(revokeTimeout, p.receiver.config.RebalanceTimeout/2))
	defer cancel()
	if !errors.Is(context.Cause(ctx), errRevoked) {
		cancel()
	}
	onRevoke(leaving)
}

// read delivers the messages of the partition.
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
				a.consumed(next)
			}
		})
		if err != nil {
			return err
		}
	}
}

// maxLiveLag is the lag up to which messages count as received now.
const maxLiveLag = time.Second

// arrival is when messages were received: now, or when the last was written if there is
// a backlog. A batch may hold what was written in many minutes then; the order in it is
// that of the records' ObservedTimestamp.
func arrival(now, caughtUpTo, written time.Time) time.Time {
	if now.Sub(caughtUpTo) <= maxLiveLag || written.After(now) {
		return now
	}
	return written
}

// recordDataLoss records that messages are missing in the windows.
func (p *partitionReader) recordDataLoss(ctx context.Context, a *assignment, n int64, why string) {
	a.dataLoss = true
	p.receiver.telemetry.CcaasKafkaLostMessages.Add(ctx, n)
	p.logger.Error("Messages are lost; the windows of their time are incomplete", zap.Int64("messages", n), zap.String("reason", why))
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
