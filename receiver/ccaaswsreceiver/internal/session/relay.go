// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"time"
)

// stormWait is the least wait after a platform said that we ask too often.
const stormWait = 30 * time.Second

// relay reads a socket, and hands over to the next one before that one is lost:
// make before break. It ends when no socket is left.
type relay struct {
	session *Session
	ctx     context.Context //nolint:containedctx // the relay lives as long as one call of run

	runners []*runner // the newest is last
	ended   chan *runner
	asked   chan *runner // by a platform that wants us to move

	why     Cause        // of the rotation that is due
	due     *time.Timer  // the next rotation, or attempt at one
	attempt chan outcome // nil: none is under way
	retire  *time.Timer  // end of the overlap
}

// runner is a socket that is being read.
type runner struct {
	socket *socket
	why    Cause // it came up; empty: it was the first
	leave  context.CancelFunc
	end    *End // once it has ended
}

// outcome is of an attempt at a new socket.
type outcome struct {
	socket  *socket
	failure *Failure
}

func newRelay(ctx context.Context, s *Session) *relay {
	r := &relay{session: s, ctx: ctx, ended: make(chan *runner), asked: make(chan *runner), due: time.NewTimer(0), retire: time.NewTimer(0)}
	r.due.Stop()
	r.retire.Stop()
	return r
}

// run relays from the first socket on, and gives the wait before the next attempt
// once none is left.
func (r *relay) run(first *socket) time.Duration {
	defer r.due.Stop()
	defer r.retire.Stop()
	r.start(first, "")
	var wait time.Duration
	for len(r.runners) > 0 || r.attempt != nil {
		select {
		case one := <-r.ended:
			wait = r.end(one)
		case one := <-r.asked:
			if one == r.newest() {
				r.rotate(Maintenance)
			}
		case <-r.due.C:
			r.rotate(r.why)
		case done := <-r.attempt:
			r.attempt = nil
			wait = r.arrive(done)
		case <-r.retire.C:
			r.leaveOld()
		}
	}
	return wait
}

func (r *relay) newest() *runner {
	if len(r.runners) == 0 {
		return nil
	}
	return r.runners[len(r.runners)-1]
}

// start begins to read a socket, which is the newest from now on.
func (r *relay) start(s *socket, why Cause) {
	ctx, leave := context.WithCancel(r.ctx)
	one := &runner{socket: s, why: why, leave: leave}
	r.runners = append(r.runners, one)
	r.session.watch(&s.wire.lag, true)
	go func() {
		ask := func() {
			select {
			case r.asked <- one:
			case <-ctx.Done():
			}
		}
		one.end = s.read(ctx, r.ctx.Done(), r.session.handler, ask)
		leave()
		r.ended <- one
	}()
	r.why = s.rotateWhy
	r.due.Stop()
	if !s.rotateAt.IsZero() {
		r.due.Reset(max(time.Until(s.rotateAt), 0))
	}
}

// rotate begins an attempt at a new socket, unless one is under way.
func (r *relay) rotate(why Cause) {
	if r.attempt != nil || len(r.runners) == 0 || r.ctx.Err() != nil {
		return
	}
	r.why = why
	r.due.Stop()
	if wait := r.tooSoon(); wait > 0 {
		r.due.Reset(wait)
		return
	}
	r.attempt = make(chan outcome, 1)
	go func(to chan<- outcome) {
		socket, failure := r.session.connect(r.ctx, true)
		to <- outcome{socket, failure}
	}(r.attempt)
}

// tooSoon is how long a rotation has to wait: there are never more than two sockets,
// and a platform that asks for a new one at once does not make us hurry.
func (r *relay) tooSoon() time.Duration {
	if len(r.runners) > 1 {
		r.leaveOld()
		return leaveWait
	}
	return r.session.settings.Pace.Initial - time.Since(r.newest().socket.up)
}

func (r *relay) leaveOld() {
	for _, old := range r.runners[:max(0, len(r.runners)-1)] {
		old.leave()
	}
}

// arrive takes what an attempt at a new socket came to.
func (r *relay) arrive(done outcome) time.Duration {
	s := r.session
	switch {
	case r.ctx.Err() != nil:
		if done.socket != nil {
			_ = done.socket.conn.Close()
		}
		return 0
	case done.failure != nil:
		wait := s.pacer.after(done.failure)
		if len(r.runners) == 0 {
			s.handler.Failed(done.failure, wait)
			return wait
		}
		s.handler.NotRotated(r.why, done.failure, wait)
		r.due.Reset(wait)
		return 0
	case len(r.runners) == 0: // the old socket did not live to see it
		s.handler.Connected(done.socket.up, done.socket.wire.roundTrip)
	default:
		s.handler.Rotated(r.why, done.socket.up)
		r.retire.Reset(s.settings.Rotation.Overlap)
	}
	r.start(done.socket, r.why)
	return 0
}

// end takes a socket that has ended, and gives the wait before the next attempt
// if it was the last.
func (r *relay) end(one *runner) time.Duration {
	newest := one == r.newest()
	for i, other := range r.runners {
		if other == one {
			r.runners = append(r.runners[:i:i], r.runners[i+1:]...)
			break
		}
	}
	s, end := r.session, one.end
	defer s.watch(&one.socket.wire.lag, false) // once the handler knows of the end
	s.forget(one)
	if len(r.runners) > 0 {
		s.handler.Left(end)
		if newest && r.ctx.Err() == nil { // the successor died first: the old one is the newest again
			r.retire.Stop()
			r.why = one.why
			r.due.Reset(s.wait(end))
		}
		return 0
	}
	var wait time.Duration
	if r.ctx.Err() == nil && r.attempt == nil {
		wait = s.wait(end)
	}
	s.handler.Disconnected(end, wait)
	return wait
}

// wait is how long to wait after a socket that ended.
func (s *Session) wait(end *End) time.Duration {
	wait := s.pacer.afterSocket(end.At.Sub(end.up))
	if later := end.closedForNow(); later != nil {
		wait = max(wait, s.pacer.after(later))
	}
	if end.Cause == Throttled {
		wait = max(wait, s.pacer.spread(s.settings.Talk.throttleWait()))
	}
	return wait
}

// forget gives up the token that the platform refused by its close frame, and the
// token and the route of a socket that it no longer knows.
func (s *Session) forget(one *runner) {
	gone := one.end.Cause == Gone
	if gone || one.end.RefusesToken() {
		s.settings.Tokens.reject(one.socket.token)
	}
	s.fresh = s.fresh || gone
}
