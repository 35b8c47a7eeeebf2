// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// handshakeStepTimeout bounds the wait for the reply to a handshake frame.
const handshakeStepTimeout = 15 * time.Second

// Protocol is the frames on a socket that are not events, in both directions.
type Protocol struct {
	OnOpen    []HandshakeStep // in this order, each after the reply to the one before
	KeepAlive KeepAlive
	// IdleTimeout is the maximum time without a data frame; 0: only the heartbeat counts.
	IdleTimeout time.Duration
	// Controls are inbound frames without events. The first that matches applies.
	Controls []ControlFrame
}

// HandshakeStep is a frame that we send, and the reply to it.
type HandshakeStep struct {
	Send   string // may name {{token}} and the route's values
	Expect *Pattern
}

// KeepAlive is a frame that is sent at an interval.
type KeepAlive struct {
	Send     string
	Expect   *Pattern // nil: no reply is expected
	Interval time.Duration
	// Unanswered is how many may be without a reply; 0: any number.
	Unanswered int
}

// ControlFrame is an inbound frame for the client, not for its Handler.
type ControlFrame struct {
	Match  *Pattern
	Action ControlAction
}

// ControlAction is the effect of a control frame.
type ControlAction uint8

// The actions.
const (
	Ignore   ControlAction = iota
	Rotate                 // open a new socket before this one is closed
	Renew                  // close, and reconnect with a new token and route
	Throttle               // close, and wait at least throttleWait
)

// handshake sends the frames of Protocol.OnOpen. Inbound frames that are not the
// expected reply go to the handler.
func (s *socket) tracedHandshake(ctx context.Context, access Access, values map[string]string, to Handler) *Failure {
	if len(s.protocol.OnOpen) == 0 {
		return s.handshake(ctx, access, values, to)
	}
	ctx, done := step(ctx, "handshake")
	failure := s.handshake(ctx, access, values, to)
	done(failure)
	return failure
}

func (s *socket) handshake(ctx context.Context, access Access, values map[string]string, to Handler) *Failure {
	fill := filler(access, values)
	s.keepAlive = fill.Replace(s.protocol.KeepAlive.Send)
	if len(s.protocol.OnOpen) == 0 {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	for i, exchange := range s.protocol.OnOpen {
		if err := s.handshakeStep(&exchange, fill, to); err != nil {
			return s.protocol.refused(s.token != "", fmt.Errorf("on-open frame %d: %w", i+1, err))
		}
	}
	return nil
}

// refused returns the failure of a handshake.
func (t *Protocol) refused(withToken bool, err error) *Failure {
	control := errControl("")
	cause, code := causeOf(err)
	end := &End{Cause: cause, Code: code, Err: err}
	switch later := end.tryAgainLater(); {
	case end.RefusesToken():
		return permanent(Unauthorized, fmt.Errorf("%w; %s", err, RefusalAdvice(withToken)))
	case later != nil:
		return &Failure{Cause: Unavailable, RetryAfter: later.RetryAfter, err: err}
	case !errors.As(err, &control):
		return retryable(Handshake, err)
	case Cause(control) == Throttled:
		return &Failure{Cause: Throttled, RetryAfter: throttleWait, err: err}
	default: // a new token may help, and is tried once
		return permanent(Unauthorized, fmt.Errorf("%w; %s", err, RefusalAdvice(withToken)))
	}
}

func (s *socket) handshakeStep(e *HandshakeStep, fill *strings.Replacer, to Handler) error {
	if err := s.write(fill.Replace(e.Send)); err != nil {
		return err
	}
	if e.Expect == nil {
		return nil
	}
	s.awaited = e.Expect
	s.transport.dataDeadline = time.Now().Add(handshakeStepTimeout)
	defer func() { s.awaited, s.transport.dataDeadline = nil, time.Time{} }()
	for s.awaited != nil {
		if err := s.frame(to); err != nil {
			if cause, _ := causeOf(err); cause == Silence {
				return errors.New("the platform has not answered it as expected in time; check what it is sent and what is expected")
			}
			return err
		}
	}
	return nil
}

// write sends a text frame. Only one goroutine may call it at a time: that of the
// handshake, then that of keepAliveLoop.
func (s *socket) write(text string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, []byte(text))
}

// filler replaces {{token}} and the names of values, escaped for JSON strings.
func filler(access Access, values map[string]string) *strings.Replacer {
	pairs := []string{"{{token}}", inJSON(access.Token)}
	for name, value := range values {
		pairs = append(pairs, "{{"+name+"}}", inJSON(value))
	}
	return strings.NewReplacer(pairs...)
}

func inJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	return string(quoted[1 : len(quoted)-1])
}
