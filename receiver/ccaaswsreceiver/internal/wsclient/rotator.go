// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"time"
)

// throttleWait is the minimum wait after a control frame with action Throttle.
const throttleWait = 30 * time.Second

// rotator reads a socket and replaces it before it is lost: make before break. It ends
// when no socket is left.
type rotator struct {
	session *Session
	ctx     context.Context //nolint:containedctx // of one call of run

	active    []*activeConn // the newest is last
	ended     chan *activeConn
	requested chan *activeConn // sockets whose platform requests a rotation

	cause       Cause           // of the next rotation
	rotateTimer *time.Timer     // of the next rotation, or attempt at one
	dialing     chan dialResult // nil: no attempt is in progress
	drain       *time.Timer     // end of the overlap
}

// activeConn is a socket that is being read.
type activeConn struct {
	socket *socket
	cause  Cause // of the rotation that opened it; empty: it was the first
	close  context.CancelFunc
	end    *End // once it has ended
}

// dialResult is the result of an attempt at a new socket.
type dialResult struct {
	socket  *socket
	failure *Failure
}

func newRotator(ctx context.Context, s *Session) *rotator {
	r := &rotator{session: s, ctx: ctx, ended: make(chan *activeConn), requested: make(chan *activeConn), rotateTimer: time.NewTimer(0), drain: time.NewTimer(0)}
	r.rotateTimer.Stop()
	r.drain.Stop()
	return r
}

// run reads and rotates sockets until none is left, and returns the wait before the
// next attempt.
func (r *rotator) run(first *socket) time.Duration {
	defer r.rotateTimer.Stop()
	defer r.drain.Stop()
	r.start(first, "")
	var wait time.Duration
	for len(r.active) > 0 || r.dialing != nil {
		select {
		case one := <-r.ended:
			wait = r.onEnd(one)
		case one := <-r.requested:
			if one == r.newest() {
				r.rotate(Maintenance)
			}
		case <-r.rotateTimer.C:
			r.rotate(r.cause)
		case done := <-r.dialing:
			r.dialing = nil
			wait = r.onDialed(done)
		case <-r.drain.C:
			r.closeOld()
		}
	}
	return wait
}

func (r *rotator) newest() *activeConn {
	if len(r.active) == 0 {
		return nil
	}
	return r.active[len(r.active)-1]
}

// start reads a socket, which is the newest from now on.
func (r *rotator) start(s *socket, why Cause) {
	ctx, leave := context.WithCancel(r.ctx)
	one := &activeConn{socket: s, cause: why, close: leave}
	r.active = append(r.active, one)
	r.session.trackLag(&s.transport.lag, true)
	go func() {
		requestRotation := func() {
			select {
			case r.requested <- one:
			case <-ctx.Done():
			}
		}
		one.end = s.read(ctx, r.ctx.Done(), r.session.handler, requestRotation)
		leave()
		r.ended <- one
	}()
	r.cause = s.rotateCause
	r.rotateTimer.Stop()
	if !s.rotateAt.IsZero() {
		r.rotateTimer.Reset(max(time.Until(s.rotateAt), 0))
	}
}

// rotate starts an attempt at a new socket, unless one is in progress.
func (r *rotator) rotate(why Cause) {
	if r.dialing != nil || len(r.active) == 0 || r.ctx.Err() != nil {
		return
	}
	r.cause = why
	r.rotateTimer.Stop()
	if wait := r.rotateDelay(); wait > 0 {
		r.rotateTimer.Reset(wait)
		return
	}
	r.dialing = make(chan dialResult, 1)
	go func(to chan<- dialResult) {
		socket, failure := r.session.connect(r.ctx, true)
		to <- dialResult{socket, failure}
	}(r.dialing)
}

// rotateDelay returns how long a rotation has to wait: there are at most two sockets,
// and rotations are at least the initial backoff apart.
func (r *rotator) rotateDelay() time.Duration {
	if len(r.active) > 1 {
		r.closeOld()
		return closeTimeout
	}
	return r.session.settings.Backoff.Initial - time.Since(r.newest().socket.up)
}

func (r *rotator) closeOld() {
	for _, old := range r.active[:max(0, len(r.active)-1)] {
		old.close()
	}
}

// onDialed handles the result of an attempt at a new socket.
func (r *rotator) onDialed(done dialResult) time.Duration {
	s := r.session
	switch {
	case r.ctx.Err() != nil:
		if done.socket != nil {
			done.socket.abandon()
		}
		return 0
	case done.failure != nil:
		wait := s.backoff.after(done.failure)
		if len(r.active) == 0 {
			s.handler.Failed(done.failure, wait)
			return wait
		}
		s.handler.NotRotated(r.cause, done.failure, wait)
		r.rotateTimer.Reset(wait)
		return 0
	case len(r.active) == 0: // the old socket ended meanwhile
		s.handler.Connected(done.socket.up, done.socket.transport.roundTrip)
	default:
		s.handler.Rotated(r.cause, done.socket.up)
		r.drain.Reset(s.settings.Rotation.Overlap)
	}
	done.socket.first = done.socket.attempt.connected()
	r.start(done.socket, r.cause)
	return 0
}

// onEnd handles the end of a socket, and returns the wait before the next attempt if
// it was the last.
func (r *rotator) onEnd(one *activeConn) time.Duration {
	newest := one == r.newest()
	for i, other := range r.active {
		if other == one {
			r.active = append(r.active[:i:i], r.active[i+1:]...)
			break
		}
	}
	s, end := r.session, one.end
	defer s.trackLag(&one.socket.transport.lag, false) // after the handler has the end
	s.invalidate(one)
	if len(r.active) > 0 {
		s.handler.Replaced(end)
		if newest && r.ctx.Err() == nil { // the new socket ended first: the old one is the newest again
			r.drain.Stop()
			r.cause = one.cause
			r.rotateTimer.Reset(s.reconnectDelay(end))
		}
		return 0
	}
	var wait time.Duration
	if r.ctx.Err() == nil && r.dialing == nil {
		wait = s.reconnectDelay(end)
	}
	s.handler.Disconnected(end, wait)
	return wait
}

// reconnectDelay returns the wait after a socket that ended.
func (s *Session) reconnectDelay(end *End) time.Duration {
	wait := s.backoff.afterConnection(end.At.Sub(end.up))
	if later := end.tryAgainLater(); later != nil {
		wait = max(wait, s.backoff.after(later))
	}
	if end.Cause == Throttled {
		wait = max(wait, s.backoff.spread(throttleWait))
	}
	return wait
}

// invalidate discards the token that the platform refused by its close frame, and the
// token and the route of a socket that it no longer knows.
func (s *Session) invalidate(one *activeConn) {
	gone := one.end.Cause == Gone
	if gone || one.end.RefusesToken() {
		s.settings.Tokens.reject(one.socket.token)
	}
	s.fresh = s.fresh || gone
}
