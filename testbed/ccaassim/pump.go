// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"context"
	"fmt"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

const (
	// batchEvents is about how many events go into one write: 32 KiB of them.
	batchEvents = 128
	// tick is how finely departures are timed: waking up for each of many
	// thousand events a second would cost more than sending them.
	tick = 2 * time.Millisecond
	// silencePoll is how often a silent socket is checked.
	silencePoll = 10 * time.Millisecond
)

// pump sends the framer's frames to the hub's sockets when they are due.
type pump struct {
	framer    *traffic.Framer
	apis      []api.API
	hub       *api.Hub
	recorder  *truth.Recorder
	history   *history.History
	trouble   *fault.State
	log       *eventLog
	fullSpeed bool
	lossy     bool
	duration  time.Duration

	clock   traffic.Clock
	began   time.Time
	batch   truth.Batch
	targets []*api.Socket   // ready
	of      [][]*api.Socket // the same, by API
}

// run sends until the traffic is at its bound.
func (p *pump) run(ctx context.Context) error {
	p.clock.FullSpeed = p.fullSpeed
	pending, more := p.framer.Next(p.trouble.Now())
	for more {
		if err := p.await(ctx, pending.Due); err != nil {
			return err
		}
		if p.fullSpeed && p.duration > 0 && time.Since(p.began) >= p.duration {
			return nil
		}
		p.batch.Reset()
		if p.fullSpeed {
			p.clock.Origin = time.Now().UnixNano()
		}
		elapsed := p.elapsed()
		for first := true; more && len(p.batch.Items) < batchEvents && (first || p.fullSpeed || pending.Due <= elapsed); first = false {
			p.batch.Add(pending, p.clock)
			pending, more = p.framer.Next(p.trouble.Now())
		}
		if err := p.deliver(ctx); err != nil {
			return err
		}
	}
	return nil
}

// elapsed is traffic time.
func (p *pump) elapsed() time.Duration { return time.Duration(time.Now().UnixNano() - p.clock.Origin) }

// await returns when a frame is due and a socket is ready. While none is, traffic
// time is paused, unless events are to be missed.
func (p *pump) await(ctx context.Context, due time.Duration) error {
	for {
		changed, silent := p.refresh()
		now := time.Now()
		if len(p.targets) == 0 && !p.lossy {
			if err := p.pause(ctx, changed, silent); err != nil {
				return err
			}
			p.clock.Origin = time.Now().UnixNano() - int64(due)
			continue
		}
		if p.began.IsZero() {
			p.began = now
			p.clock.Origin = now.UnixNano() - int64(due)
		}
		if p.fullSpeed || p.elapsed() >= due {
			return ctx.Err()
		}
		if err := p.sleep(ctx, (due-p.elapsed()).Truncate(tick)+tick, changed); err != nil {
			return err
		}
	}
}

// refresh finds the ready sockets.
func (p *pump) refresh() (changed <-chan struct{}, silent bool) {
	p.targets, silent, changed = p.hub.Ready(p.targets[:0], time.Now())
	return changed, silent
}

// pause waits for a ready socket.
func (p *pump) pause(ctx context.Context, changed <-chan struct{}, silent bool) error {
	if err := p.log.flush(); err != nil {
		return err
	}
	if silent {
		return p.sleep(ctx, silencePoll, changed)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
		return nil
	}
}

// sleep waits for a time, or for a change of the sockets.
func (p *pump) sleep(ctx context.Context, wait time.Duration, changed <-chan struct{}) error {
	if err := p.log.flush(); err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-timer.C:
	}
	return nil
}

// deliver sends the batch, and counts it by its outcome. While those who were ready
// close without any of it, it waits for others.
func (p *pump) deliver(ctx context.Context) error {
	for {
		if all := p.send(); all.Some || !all.Left && len(p.targets) > 0 || p.lossy {
			return p.count()
		}
		changed, silent := p.refresh()
		if len(p.targets) == 0 {
			if err := p.pause(ctx, changed, silent); err != nil {
				return err
			}
			p.refresh()
		}
	}
}

// send lets every API send the batch to its sockets.
func (p *pump) send() (all api.SendResult) {
	for a := range p.of {
		p.of[a] = p.of[a][:0]
	}
	for _, s := range p.targets {
		p.of[s.Api] = append(p.of[s.Api], s)
	}
	t := p.trouble.Now()
	for a, sockets := range p.of {
		p.batch.InUse[a] = p.batch.InUse[a] || len(sockets) > 0
		if !p.batch.InUse[a] {
			continue
		}
		p.batch.Expect(truth.API(a), truth.Missed)
		all.Add(p.apis[a].Send(&p.batch, sockets, t))
	}
	return all
}

func (p *pump) count() error {
	p.recorder.Add(&p.batch)
	p.history.Add(&p.batch.Batch)
	for _, a := range p.apis {
		a.Counted(&p.batch)
	}
	if err := p.log.write(&p.batch, p.trouble.Now()); err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	return nil
}
