// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package wsclient keeps a connection to a platform alive: get a token, go the
// platform's HTTP steps, dial, say what has to be said, read, move to a new socket
// before the old one is lost, and after a loss dial again. It knows no platform
// and no record; both are its caller's.
package wsclient

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// Settings are how to reach a platform, and how to behave there.
type Settings struct {
	Tokens      *Tokens // nil: nobody asks for a token
	Prepare     Prepare // the HTTP steps before a dial
	Subprotocol string  // empty: none is asked for, and none may be answered
	Dialer      *websocket.Dialer
	Dials       *rate.Limiter // of all sessions of a receiver; nil: unbounded

	Protocol     Protocol
	Heartbeat    Heartbeat
	MaxFrameSize int
	Backoff      Backoff
	Rotation     Rotation
}

// Prepare goes the HTTP steps that lead to a socket. What a platform hands out for
// longer than one socket, such as a channel, it may give again, unless a fresh
// route is asked for.
type Prepare func(ctx context.Context, access Access, fresh bool) (*Route, *Failure)

// Route is the way to a socket.
type Route struct {
	Socket *url.URL    // ws or wss
	Header http.Header // of the upgrade
	// Private keeps the path, which may hold a secret, out of messages.
	Private bool
	// Expires is when the platform takes back what the socket hangs on; zero: never.
	Expires time.Time
	// Values are what frames may name beside the token.
	Values map[string]string
}

// Heartbeat is how a socket that only looks open is found out.
type Heartbeat struct {
	Interval time.Duration // between the pings we send
	Timeout  time.Duration // of hearing nothing at all
}

// Rotation is when to move to a new socket while the old one still works.
type Rotation struct {
	MaxAge  time.Duration // of a socket; 0: as old as it gets
	Overlap time.Duration // in which both are read
}

// Handler takes what a session lives through, in the order of what happened. While
// Text blocks, nothing is read from that socket. During the overlap of a rotation
// two sockets are read at once: Text and Violation may be called at the same time
// for both; everything else is called from one goroutine.
type Handler interface {
	// Connected says that a socket is up where none was, and how long a round trip takes.
	Connected(at time.Time, roundTrip time.Duration)
	// Failed says why no socket came up, and when the next attempt is.
	Failed(failure *Failure, wait time.Duration)
	// Text is a frame. It is the handler's until the method returns. Sockets are
	// numbered as they come up.
	Text(frame []byte, at time.Time, socket int)
	// Violation is a frame, or its beginning, that cannot be read as text.
	Violation(reason string, piece []byte, at time.Time)
	// Rotated says that a new socket is up beside the old one, which is left soon.
	Rotated(why Cause, at time.Time)
	// NotRotated says why no new socket came up while the old one still works.
	NotRotated(why Cause, failure *Failure, wait time.Duration)
	// Left says that a socket ended while another works.
	Replaced(end *End)
	// Disconnected says how the last socket ended, and when the next attempt is.
	Disconnected(end *End, wait time.Duration)
}

// Session is one connection to a platform, over as many sockets as it takes.
type Session struct {
	settings Settings
	handler  Handler
	backoff  *backoffState
	sockets  int  // opened so far
	fresh    bool // the next route must be a new one

	mutex sync.Mutex
	lags  map[*readLag]bool // of the sockets that are being read
}

// New makes a session that Run will live.
func New(settings Settings, handler Handler) *Session {
	return &Session{settings: settings, handler: handler, backoff: newBackoff(settings.Backoff), lags: map[*readLag]bool{}}
}

// ReadTo is the time up to which all that the platform has sent on the sockets that
// are up is read: now, or an earlier time while the handler blocks and until what
// waited in the buffers meanwhile is read. It is safe for concurrent use.
func (s *Session) ReadTo(now time.Time) time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	to := now
	for one := range s.lags {
		if at := one.readTo(now); at.Before(to) {
			to = at
		}
	}
	return to
}

func (s *Session) trackLag(one *readLag, up bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if up {
		s.lags[one] = true
	} else {
		delete(s.lags, one)
	}
}

// Run connects, reads and reconnects until ctx ends.
func (s *Session) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if wait := s.runOnce(ctx); wait > 0 {
			sleep(ctx, wait)
		}
	}
}

// try is an attempt at a socket and, where it succeeds, the life of that socket
// and of those that followed it without a break. It gives the wait before the next.
func (s *Session) runOnce(ctx context.Context) time.Duration {
	socket, failure := s.connect(ctx, s.fresh)
	if ctx.Err() != nil {
		if socket != nil {
			_ = socket.conn.Close()
		}
		return 0
	}
	if failure != nil {
		wait := s.backoff.after(failure)
		s.handler.Failed(failure, wait)
		return wait
	}
	s.fresh = false
	s.handler.Connected(socket.up, socket.transport.roundTrip)
	return newRotator(ctx, s).run(socket) //nolint:contextcheck // the relay has it
}

// connect opens a socket. A token that is refused is renewed once: it may have
// been revoked, or granted before the permission was.
func (s *Session) connect(ctx context.Context, fresh bool) (*socket, *Failure) {
	for renewed := false; ; renewed = true {
		access, failure := s.settings.Tokens.get(ctx)
		if failure != nil {
			return nil, failure
		}
		socket, failure := s.open(ctx, access, fresh)
		if failure == nil || failure.Cause != Unauthorized || access.Token == "" || renewed {
			return socket, failure
		}
		s.settings.Tokens.reject(access.Token)
	}
}

// open goes the way from a token to a socket that is ready to be read.
func (s *Session) open(ctx context.Context, access Access, fresh bool) (*socket, *Failure) {
	route, failure := s.settings.Prepare(ctx, access, fresh)
	if failure != nil {
		return nil, failure
	}
	if s.settings.Dials != nil {
		if err := s.settings.Dials.Wait(ctx); err != nil {
			return nil, retryable(Unreachable, err)
		}
	}
	socket, failure := s.dial(ctx, route, access.Token != "")
	if failure != nil {
		return nil, failure
	}
	s.sockets++
	socket.number = s.sockets
	socket.token = access.Token
	if failure = socket.handshake(ctx, access, route.Values, s.handler); failure != nil {
		_ = socket.conn.Close()
		return nil, failure
	}
	socket.up = time.Now()
	socket.scheduleRotation(access, route, s.settings.Rotation.MaxAge)
	return socket, nil
}

// name is the route as it may be shown.
func (r *Route) name() string {
	if r.Private {
		return Truncate((&url.URL{Scheme: r.Socket.Scheme, Host: r.Socket.Host}).String()) + "/…"
	}
	return address(r.Socket)
}

func sleep(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// address is a URL as it may be shown: without a query, which may hold a secret.
func address(u *url.URL) string {
	return Truncate((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// netDialer is how a connection is made where the dialer does not say.
func netDialer(dialer *websocket.Dialer) func(context.Context, string, string) (net.Conn, error) {
	if dialer.NetDialContext != nil {
		return dialer.NetDialContext
	}
	return (&net.Dialer{}).DialContext
}
