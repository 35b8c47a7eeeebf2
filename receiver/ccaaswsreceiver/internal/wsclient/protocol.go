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

// answerWait bounds how long the platform may take to answer a frame that is sent
// when the socket opens.
const handshakeStepTimeout = 15 * time.Second

// Talk is what is said on a socket besides events, by us and by the platform.
type Protocol struct {
	OnOpen    []HandshakeStep // in this order, each after the answer to the one before
	KeepAlive KeepAlive
	// IdleTimeout is of no data frame at all; 0: only the heartbeat counts.
	IdleTimeout time.Duration
	// Controls are frames that hold no event. The first that matches counts.
	Controls []ControlFrame
	// ThrottleWait is the least wait after Throttle; 0: 30 s.
	ThrottleWait time.Duration
}

// Exchange is a frame that we send, and the answer to it.
type HandshakeStep struct {
	Send   string // may name {{token}} and the route's values
	Expect *Pattern
}

// KeepAlive is a frame that is sent again and again.
type KeepAlive struct {
	Send     string
	Expect   *Pattern // nil: no answer is expected
	Interval time.Duration
	// Unanswered is how many may go without an answer; 0: any number.
	Unanswered int
}

// Control is a frame that is for us and not for our reader.
type ControlFrame struct {
	Match  *Pattern
	Action ControlAction
}

// Reaction is what a control frame makes us do.
type ControlAction uint8

// The reactions.
const (
	Ignore   ControlAction = iota
	Rotate                 // to a new socket, before this one is closed
	Renew                  // token and route, which the platform no longer knows
	Throttle               // leave, and stay away for a while
)

// begin says what has to be said when a socket opens. Frames that come before an
// answer and are none go to the handler.
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

// refused is a failure of the beginning of a socket, for which a token of oauth2 was used or not.
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
		return &Failure{Cause: Throttled, RetryAfter: t.throttleWait(), err: err}
	default: // a new token may help, and is tried once
		return permanent(Unauthorized, fmt.Errorf("%w; %s", err, RefusalAdvice(withToken)))
	}
}

// throttleWait is the least wait after the platform's word that we ask too often.
func (t *Protocol) throttleWait() time.Duration {
	if t.ThrottleWait > 0 {
		return t.ThrottleWait
	}
	return throttleWait
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

// write sends a text frame. Only one goroutine may do so at a time: the one that
// begins, and then the one that attends.
func (s *socket) write(text string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, []byte(text))
}

// filler puts the token and the values where a frame names them, as JSON strings
// have them.
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
