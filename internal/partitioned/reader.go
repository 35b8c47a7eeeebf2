// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/partition"
)

// reader reads an assigned partition. Its failures do not affect other partitions.
type reader struct {
	engine *Engine
	number int32
	logger *zap.Logger
	active atomic.Pointer[Assignment] // nil while it is claimed
	stop   context.CancelCauseFunc
	done   chan struct{}
}

// run reads the partition until it is revoked. After any error it resumes from the last
// checkpoint, as another collector would.
func (r *reader) run(ctx context.Context) {
	defer close(r.done)
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = time.Minute
	for {
		begun := time.Now()
		err := r.runOnce(ctx)
		r.engine.Status.Set(ctx, int(r.number), err)
		if ctx.Err() != nil {
			return
		}
		r.logger.Error("Partition failed; it resumes from its last checkpoint", zap.Error(err))
		if time.Since(begun) > time.Minute {
			waits.Reset()
		}
		// A fenced reader waits until its partition can have been revoked.
		if !pause.For(ctx, max(waits.NextBackOff(), r.engine.RetryInterval)) {
			return
		}
	}
}

// runOnce claims the partition, restores its windows, and reads it. It returns why it
// ended.
func (r *reader) runOnce(parent context.Context) error {
	begun := time.Now()
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	log, err := r.engine.Claim(ctx, r.number, r.logger)
	if err != nil {
		return err
	}
	defer log.Close()
	a := &Assignment{engine: r.engine, log: log, fail: fail}
	start, err := log.Start(ctx)
	if err != nil {
		return err
	}
	r.recordLoss(ctx, a, start)
	a.saved = start.Position
	a.lag.Start(start.Position)
	defer r.release(ctx, a)
	if err := r.announce(ctx, a, start.Position); err != nil {
		return err
	}
	log.Restored()
	r.active.Store(a)
	defer r.active.Store(nil)
	r.engine.Telemetry.RestoreDuration.Record(ctx, time.Since(begun).Seconds())
	r.engine.Telemetry.Replayed.Add(ctx, max(0, start.End-start.Position))
	r.engine.Status.Set(parent, int(r.number), nil)
	return r.read(ctx, a)
}

// recordLoss records that messages or state are missing in the windows.
func (r *reader) recordLoss(ctx context.Context, a *Assignment, start Start) {
	a.dataLoss = start.StateLost || start.LossReason != ""
	if start.LossReason != "" {
		r.engine.Telemetry.Lost.Add(ctx, start.Lost)
		r.logger.Error("Messages are lost; the windows of their time are incomplete", zap.Int64("messages", start.Lost), zap.String("reason", start.LossReason))
	}
}

// announce announces the partition downstream, by a batch without records.
func (r *reader) announce(ctx context.Context, a *Assignment, position int64) error {
	ctx = partition.NewContext(ctx, partition.Batch{Partition: a, Next: position})
	if err := r.engine.Next.ConsumeLogs(ctx, plog.NewLogs()); err != nil {
		return err
	}
	_, err := a.owned()
	return err
}

// release revokes the partition from the owner of its state. The owner has time to save
// only where the partition is revoked: a lost one may have another owner already.
func (r *reader) release(ctx context.Context, a *Assignment) {
	onRevoke, err := a.owned()
	if err != nil {
		return
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.engine.RevokeTimeout)
	defer cancel()
	if !errors.Is(context.Cause(ctx), ErrRevoked) {
		cancel()
	}
	onRevoke(leaving)
}

// read delivers the messages of the partition.
func (r *reader) read(ctx context.Context, a *Assignment) error {
	decoder := newDecoder(r, a.log)
	for {
		fetched, err := a.log.Read(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", a, err)
		}
		logs, written := decoder.decode(ctx, fetched.Messages)
		batch := partition.Batch{Partition: a, Next: fetched.Next, At: arrival(time.Now(), a.CaughtUpTo(), written)}
		if err := r.engine.deliver(partition.NewContext(ctx, batch), r.logger, logs); err != nil {
			return err
		}
		a.consumed(fetched.Next)
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
