// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// chunkBytes is about how much goes into one write.
	chunkBytes = 32 << 10
	// tick is how finely departures are timed: waking up for each of many
	// thousand events a second would cost more than sending them.
	tick = 2 * time.Millisecond
	// silencePoll is how often a silent socket is asked whether it speaks again.
	silencePoll = 10 * time.Millisecond
)

// pump sends the composer's frames to the hub's sockets when they are due.
type pump struct {
	composer  *composer
	encoder   *encoder
	hub       *hub
	tally     *tally
	trouble   *trouble
	record    *record
	fullSpeed bool
	lossy     bool
	broadcast bool
	duration  time.Duration

	clock   clock
	began   time.Time
	chunk   chunk
	targets []*socket
	turn    int
}

// run sends until the traffic is at its bound.
func (p *pump) run(ctx context.Context) error {
	p.clock.fullSpeed = p.fullSpeed
	pending, more := p.composer.next(p.trouble.now())
	for more {
		if err := p.await(ctx, pending.due); err != nil {
			return err
		}
		if p.fullSpeed && p.duration > 0 && time.Since(p.began) >= p.duration {
			return nil
		}
		p.chunk.reset()
		if p.fullSpeed {
			p.clock.origin = time.Now().UnixNano()
		}
		elapsed := p.elapsed()
		for first := true; more && len(p.chunk.bytes) < chunkBytes && (first || p.fullSpeed || pending.due <= elapsed); first = false {
			t := p.trouble.now()
			p.chunk.add(pending, p.clock, p.encoder, t)
			pending, more = p.composer.next(t)
		}
		if err := p.deliver(ctx); err != nil {
			return err
		}
	}
	return nil
}

// elapsed is traffic time.
func (p *pump) elapsed() time.Duration { return time.Duration(time.Now().UnixNano() - p.clock.origin) }

// await returns when a frame is due and somebody is there to take it. While
// nobody is, traffic time stands still, unless events are to be lost.
func (p *pump) await(ctx context.Context, due time.Duration) error {
	for {
		changed, silent := p.look()
		now := time.Now()
		if len(p.targets) == 0 && !p.lossy {
			if err := p.pause(ctx, changed, silent); err != nil {
				return err
			}
			p.clock.origin = time.Now().UnixNano() - int64(due)
			continue
		}
		if p.began.IsZero() {
			p.began = now
			p.clock.origin = now.UnixNano() - int64(due)
		}
		if p.fullSpeed || p.elapsed() >= due {
			return ctx.Err()
		}
		if err := p.sleep(ctx, (due-p.elapsed()).Truncate(tick)+tick, changed); err != nil {
			return err
		}
	}
}

// look finds the sockets that can be sent to.
func (p *pump) look() (changed <-chan struct{}, silent bool) {
	p.targets, silent, changed = p.hub.ready(p.targets[:0], time.Now())
	return changed, silent
}

// pause waits for somebody to send to.
func (p *pump) pause(ctx context.Context, changed <-chan struct{}, silent bool) error {
	if err := p.record.flush(); err != nil {
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

// sleep waits for a time, or a change of the sockets.
func (p *pump) sleep(ctx context.Context, wait time.Duration, changed <-chan struct{}) error {
	if err := p.record.flush(); err != nil {
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

// deliver writes the chunk, and counts it by what became of it.
func (p *pump) deliver(ctx context.Context) error {
	for {
		if p.lossy && len(p.targets) == 0 {
			return p.count(missed)
		}
		f, written := p.write()
		if written {
			return p.count(f)
		}
		changed, silent := p.look()
		if len(p.targets) == 0 && !p.lossy {
			if err := p.pause(ctx, changed, silent); err != nil {
				return err
			}
			p.look()
		}
	}
}

// write sends the chunk to the socket whose turn it is, or to all. It is not
// written when no socket took any of it.
func (p *pump) write() (f fate, written bool) {
	if len(p.targets) == 0 {
		return 0, false
	}
	targets := p.targets
	if !p.broadcast {
		p.turn = (p.turn + 1) % len(targets)
		targets = targets[p.turn : p.turn+1]
	}
	f = unsure
	for _, s := range targets {
		err := s.write(p.chunk.bytes)
		if err == nil {
			f = sent
		}
		written = written || !errors.Is(err, errLeaving)
	}
	return f, written
}

func (p *pump) count(f fate) error {
	p.tally.add(&p.chunk, f)
	if err := p.record.write(&p.chunk, f, p.encoder, p.trouble.now()); err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	return nil
}
