// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package session keeps one socket to a platform alive: get a token, ask what the
// platform speaks, dial, read, and after a while dial again. It knows no platform
// and no record; both are its caller's.
package session

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// Settings are how to reach a platform, and how to behave there.
type Settings struct {
	Tokens      *Tokens      // nil: nobody asks for a token
	Preflight   *url.URL     // nil: the platform is not asked what it speaks
	Client      *http.Client // for the pre-flight
	Socket      *url.URL     // ws or wss
	Subprotocol string       // empty: none is asked for, and none may be answered
	Dialer      *websocket.Dialer

	Heartbeat    Heartbeat
	MaxFrameSize int
	Pace         Pace
}

// Heartbeat is how a socket that only looks open is found out.
type Heartbeat struct {
	Interval time.Duration // between the pings we send
	Timeout  time.Duration // of hearing nothing at all
}

// Handler takes what a session lives through. Its methods are called from one
// goroutine, in the order of what happened; while one of them blocks, nothing is
// read from the socket.
type Handler interface {
	// Connected says that the socket is up, and how long a round trip takes.
	Connected(at time.Time, roundTrip time.Duration)
	// Failed says why no socket came up, and when the next attempt is.
	Failed(failure *Failure, wait time.Duration)
	// Text is a frame. It is the handler's until the method returns.
	Text(frame []byte, at time.Time)
	// Violation is a frame, or its beginning, that cannot be read as text.
	Violation(reason string, piece []byte, at time.Time)
	// Disconnected says how the socket ended, and when the next attempt is.
	Disconnected(end *End, wait time.Duration)
}

// Session is one connection to a platform, over as many sockets as it takes.
type Session struct {
	settings Settings
	handler  Handler
	pacer    *pacer
}

// New makes a session that Run will live.
func New(settings Settings, handler Handler) *Session {
	return &Session{settings: settings, handler: handler, pacer: newPacer(settings.Pace)}
}

// Run connects, reads and reconnects until ctx ends.
func (s *Session) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if wait := s.live(ctx); wait > 0 {
			sleep(ctx, wait)
		}
	}
}

// live is the life of one socket, or a failed attempt at one. It gives the wait
// before the next.
func (s *Session) live(ctx context.Context) time.Duration {
	socket, failure := s.connect(ctx)
	if ctx.Err() != nil {
		if socket != nil {
			_ = socket.conn.Close()
		}
		return 0
	}
	if failure != nil {
		wait := s.pacer.after(failure)
		s.handler.Failed(failure, wait)
		return wait
	}

	up := time.Now()
	s.handler.Connected(up, socket.line.roundTrip)
	end := socket.read(ctx, s.handler)
	var wait time.Duration
	if ctx.Err() == nil {
		wait = s.pacer.afterSocket(end.At.Sub(up))
	}
	s.handler.Disconnected(end, wait)
	return wait
}

// connect opens a socket. A token that is refused is renewed once: it may have
// been revoked, or granted before the permission was.
func (s *Session) connect(ctx context.Context) (*socket, *Failure) {
	for renewed := false; ; renewed = true {
		token, failure := s.settings.Tokens.get(ctx)
		if failure != nil {
			return nil, failure
		}
		socket, failure := s.open(ctx, token)
		if failure == nil || failure.Cause != Unauthorized || token == "" || renewed {
			return socket, failure
		}
		s.settings.Tokens.reject(token)
	}
}

// open goes the way from a token to a socket.
func (s *Session) open(ctx context.Context, token string) (*socket, *Failure) {
	if s.settings.Preflight != nil {
		if failure := s.preflight(ctx, token); failure != nil {
			return nil, failure
		}
	}
	return s.dial(ctx, token)
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
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// netDialer is how a connection is made where the dialer does not say.
func netDialer(dialer *websocket.Dialer) func(context.Context, string, string) (net.Conn, error) {
	if dialer.NetDialContext != nil {
		return dialer.NetDialContext
	}
	return (&net.Dialer{}).DialContext
}
