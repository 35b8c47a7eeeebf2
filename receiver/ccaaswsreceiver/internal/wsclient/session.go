// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package wsclient keeps a WebSocket connection to a platform open: it gets a token,
// sends the platform's HTTP requests, dials, completes the handshake, reads, rotates to
// a new socket before the old one is lost, and reconnects after a loss. Platforms and
// records are its caller's.
package wsclient

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
)

// Settings configure a Session.
type Settings struct {
	Tokens       *Tokens  // nil: no token
	Prepare      Prepare  // the HTTP requests before a dial
	Subprotocols []string // the preferred first; empty: none is requested, and none is accepted
	Dialer       *websocket.Dialer
	Dials        *rate.Limiter // of all sessions of a receiver; nil: unbounded

	Protocol     Protocol
	Heartbeat    Heartbeat
	MaxFrameSize int
	Backoff      Backoff
	Rotation     Rotation

	Tracer     trace.Tracer // of attempts to connect; nil: none are traced
	Connection int          // the number of the session, for its spans
}

// Prepare sends the HTTP requests that lead to a socket. It may return the route of an
// earlier socket, such as a channel, unless fresh is set.
type Prepare func(ctx context.Context, access Access, fresh bool) (*Route, *Failure)

// Route is the address of a socket, and what belongs to it.
type Route struct {
	Socket *url.URL    // ws or wss
	Header http.Header // of the upgrade
	// Subprotocol is the one that the platform supports; empty: those of the settings are requested.
	Subprotocol string
	// Private removes the path, which may hold a secret, from messages.
	Private bool
	// Advice is appended to the failure of an upgrade with status 400, 404 or 426; empty: that of
	// all requests.
	Advice string
	// Expires is when the platform withdraws the route; zero: never.
	Expires time.Time
	// Values replace {{name}} in frames, as the token replaces {{token}}.
	Values map[string]string
}

// Heartbeat detects half-open connections.
type Heartbeat struct {
	Interval time.Duration // between pings
	Timeout  time.Duration // maximum time without inbound data, pongs included
}

// Rotation replaces a socket while it still works.
type Rotation struct {
	MaxAge  time.Duration // of a socket; 0: no limit
	Overlap time.Duration // in which both sockets are read
}

// Handler receives the events of a session, in order. While Text blocks, nothing is
// read from that socket. During the overlap of a rotation two sockets are read: Text
// and Violation may be called concurrently for both; everything else is called from
// one goroutine.
type Handler interface {
	// Connected reports a socket where none was, and the duration of a round trip.
	Connected(at time.Time, roundTrip time.Duration)
	// Failed reports a failed attempt, and the wait before the next.
	Failed(failure *Failure, wait time.Duration)
	// Text handles a frame, which is valid until the method returns. Sockets are
	// numbered in the order of their connection.
	Text(frame []byte, at time.Time, socket int)
	// Violation handles a frame, or its beginning, that is not valid text.
	Violation(reason string, piece []byte, at time.Time)
	// Rotated reports a new socket beside the old one, which is closed after the overlap.
	Rotated(cause Cause, at time.Time)
	// NotRotated reports a failed rotation while the old socket still works.
	NotRotated(cause Cause, failure *Failure, wait time.Duration)
	// Replaced reports the end of a socket while another is up.
	Replaced(end *End)
	// Disconnected reports the end of the last socket, and the wait before the next
	// attempt.
	Disconnected(end *End, wait time.Duration)
}

// Session is one connection to a platform, over any number of sockets.
type Session struct {
	settings Settings
	handler  Handler
	backoff  *backoffState
	sockets  int  // opened so far
	fresh    bool // the next route must be new
	tracing  tracing

	mutex sync.Mutex
	lags  map[*readLag]bool // of the sockets that are read
}

// New returns a session. Run connects it.
func New(settings Settings, handler Handler) *Session {
	return &Session{
		settings: settings, handler: handler, backoff: newBackoff(settings.Backoff), lags: map[*readLag]bool{},
		tracing: tracing{tracer: settings.Tracer, connection: settings.Connection},
	}
}

// ReadTo returns the time up to which all data of the platform on the current sockets
// is read: now, or an earlier time while the handler blocks and until the buffers are
// drained. It is safe for concurrent use.
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
			pause.For(ctx, wait)
		}
	}
}

// runOnce connects, and reads that socket and its successors until none is left. It
// returns the wait before the next attempt.
func (s *Session) runOnce(ctx context.Context) time.Duration {
	socket, failure := s.connect(ctx, s.fresh)
	if ctx.Err() != nil {
		if socket != nil {
			socket.abandon()
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
	socket.first = socket.attempt.connected()
	return newRotator(ctx, s).run(socket) //nolint:contextcheck // the rotator has it
}

// RecordGap adds a time in which events may be lost to the span of the attempt to connect
// that ends it.
func (s *Session) RecordGap(from, to time.Time, cause Cause) { s.tracing.gap(from, to, cause) }

// connect opens a socket. The span of the attempt ends once the handler knows of it.
func (s *Session) connect(ctx context.Context, fresh bool) (*socket, *Failure) {
	ctx, attempt := s.tracing.begin(ctx, fresh)
	socket, failure := s.tryConnect(ctx, attempt, fresh)
	if failure != nil {
		attempt.failed(failure)
		return nil, failure
	}
	socket.attempt = attempt
	return socket, nil
}

// token gets a token, if one is needed.
func (s *Session) token(ctx context.Context) (Access, *Failure) {
	if s.settings.Tokens == nil {
		return Access{}, nil
	}
	ctx, done := step(ctx, "token")
	access, failure := s.settings.Tokens.get(ctx)
	done(failure)
	return access, failure
}

// tryConnect opens a socket. A refused token is renewed once: it may have been revoked,
// or issued before the permission was granted.
func (s *Session) tryConnect(ctx context.Context, attempt *attempt, fresh bool) (*socket, *Failure) {
	for renewed := false; ; renewed = true {
		access, failure := s.token(ctx)
		if failure != nil {
			return nil, failure
		}
		socket, failure := s.open(ctx, attempt, access, fresh)
		if failure == nil || failure.Cause != Unauthorized || access.Token == "" || renewed {
			return socket, failure
		}
		s.settings.Tokens.reject(access.Token)
	}
}

// open opens a socket with a token, and completes its handshake.
func (s *Session) open(ctx context.Context, attempt *attempt, access Access, fresh bool) (*socket, *Failure) {
	route, failure := s.settings.Prepare(ctx, access, fresh)
	if failure != nil {
		return nil, failure
	}
	if s.settings.Dials != nil {
		if err := s.settings.Dials.Wait(ctx); err != nil {
			return nil, retryable(Unreachable, err)
		}
	}
	attempt.address(route.Socket)
	socket, failure := s.dial(ctx, attempt, route, access.Token != "")
	if failure != nil {
		return nil, failure
	}
	s.sockets++
	socket.number = s.sockets
	socket.token = access.Token
	if failure = socket.tracedHandshake(ctx, access, route.Values, s.handler); failure != nil {
		_ = socket.conn.Close()
		return nil, failure
	}
	socket.up = time.Now()
	socket.scheduleRotation(access, route, s.settings.Rotation.MaxAge)
	return socket, nil
}

// name returns the route for messages.
func (r *Route) name() string {
	if r.Private {
		return Truncate((&url.URL{Scheme: r.Socket.Scheme, Host: r.Socket.Host}).String()) + "/…"
	}
	return address(r.Socket)
}

// address returns a URL for messages: without its query, which may hold a secret.
func address(u *url.URL) string {
	return Truncate((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// netDialer returns the dialer's function for network connections, or the default.
func netDialer(dialer *websocket.Dialer) func(context.Context, string, string) (net.Conn, error) {
	if dialer.NetDialContext != nil {
		return dialer.NetDialContext
	}
	return (&net.Dialer{}).DialContext
}
