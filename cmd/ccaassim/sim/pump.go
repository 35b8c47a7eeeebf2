// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"fmt"
	"time"
)

const (
	// batchEvents is about how many events go into one write: 32 KiB of them.
	batchEvents = 128
	// tick is how finely departures are timed: waking up for each of many
	// thousand events a second would cost more than sending them.
	tick = 2 * time.Millisecond
	// silencePoll is how often a silent socket is asked whether it speaks again.
	silencePoll = 10 * time.Millisecond
)

// teller tells the events of a batch to sockets of its API, and notes in the batch
// what became of them.
type teller interface {
	tell(b *batch, sockets []*socket, t *Trouble) told
}

// pump sends the composer's frames to the hub's sockets when they are due.
type pump struct {
	composer  *composer
	encoder   *encoder
	tellers   [apis]teller
	book      *book
	hub       *hub
	tally     *tally
	trouble   *trouble
	record    *record
	fullSpeed bool
	lossy     bool
	duration  time.Duration

	clock   clock
	began   time.Time
	batch   batch
	targets []*socket       // ready
	of      [apis][]*socket // the same, by API
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
		p.batch.reset()
		if p.fullSpeed {
			p.clock.origin = time.Now().UnixNano()
		}
		elapsed := p.elapsed()
		for first := true; more && len(p.batch.items) < batchEvents && (first || p.fullSpeed || pending.due <= elapsed); first = false {
			p.batch.add(pending, p.clock)
			pending, more = p.composer.next(p.trouble.now())
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

// deliver tells the batch to whoever is there, and counts it by what became of
// it. While those who were there leave without any of it, it waits for others.
func (p *pump) deliver(ctx context.Context) error {
	for {
		if all := p.tell(); all.some || !all.left && len(p.targets) > 0 || p.lossy {
			return p.count()
		}
		changed, silent := p.look()
		if len(p.targets) == 0 {
			if err := p.pause(ctx, changed, silent); err != nil {
				return err
			}
			p.look()
		}
	}
}

// tell lets every API tell the batch to its sockets.
func (p *pump) tell() (all told) {
	for a := range p.of {
		p.of[a] = p.of[a][:0]
	}
	for _, s := range p.targets {
		p.of[s.api] = append(p.of[s.api], s)
	}
	t := p.trouble.now()
	for a, sockets := range p.of {
		p.batch.used[a] = p.batch.used[a] || len(sockets) > 0
		if !p.batch.used[a] {
			continue
		}
		p.batch.await(api(a), missed)
		all.add(p.tellers[a].tell(&p.batch, sockets, t))
	}
	return all
}

func (p *pump) count() error {
	p.tally.add(&p.batch)
	p.book.settle(&p.batch)
	if err := p.record.write(&p.batch, p.encoder, p.trouble.now()); err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	return nil
}
