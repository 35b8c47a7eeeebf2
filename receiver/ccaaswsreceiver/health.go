// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	// outageError is how long a connection may have no stable socket before that is an
	// error of the component's status.
	outageError = 30 * time.Second
	// stableAge is the age at which a socket is stable.
	stableAge = 10 * time.Second
)

// health decides whether a connection has a stable socket. Sockets that the platform
// closes at once are not stable, however many there are. It is not safe for concurrent
// use.
type health struct {
	since    time.Time         // end of the last stable socket; before the first, the start of the receiver
	up       time.Time         // start of the present socket; zero: none is up
	short    int               // sockets since then that were not stable
	failure  *wsclient.Failure // of the last attempt since then; nil: it succeeded, or there was none
	reason   error             // of the last end or failure; nil: there was none
	rotation *wsclient.Failure // permanent failure of the last rotation; nil: none
}

func newHealth(now time.Time) health { return health{since: now} }

// connected reports a socket where none was.
func (h *health) connected(now time.Time) { h.up, h.failure, h.rotation = now, nil, nil }

// rotated reports a socket beside one that is up.
func (h *health) rotated() { h.rotation = nil }

// notRotated reports a failed rotation.
func (h *health) notRotated(failure *wsclient.Failure) {
	h.rotation = nil
	if failure.Permanent {
		h.rotation = failure
	}
}

// failed reports an attempt that failed while no socket is up.
func (h *health) failed(failure *wsclient.Failure) { h.failure, h.reason = failure, failure }

// disconnected reports the end of the last socket.
func (h *health) disconnected(end *wsclient.End) {
	if h.isStable(end.At) {
		h.since, h.short = end.At, 0
	} else {
		h.short++
	}
	h.up, h.rotation, h.reason = time.Time{}, nil, endReason(end)
}

func (h *health) isStable(now time.Time) bool { return !h.up.IsZero() && now.Sub(h.up) >= stableAge }

// trouble returns the error of the status; nil: none. The text of one error does not
// change while it lasts.
func (h *health) trouble(now time.Time) error {
	switch {
	case h.isStable(now), !h.up.IsZero() && h.short == 0: // the first socket after an outage may become stable
		if h.isStable(now) {
			h.short = 0
		}
		if h.rotation != nil {
			return h.rotation
		}
		return nil
	case h.failure != nil && h.failure.Permanent:
		return h.failure
	case now.Sub(h.since) < outageError:
		return nil
	}
	since := h.since.UTC().Format(time.RFC3339)
	switch {
	case h.reason == nil:
		return fmt.Errorf("not connected: no socket since %s, and the first attempt has no result yet", since)
	case h.short > 0:
		return fmt.Errorf("not connected: no socket has been up for %v since %s: %w", stableAge, since, h.reason)
	default:
		return fmt.Errorf("not connected: no socket since %s: %w", since, h.reason)
	}
}

// endReason returns why a socket ended, for the status: the peer's close code and text
// where there are any.
func endReason(end *wsclient.End) error {
	closed := (*websocket.CloseError)(nil)
	switch {
	case errors.As(end.Err, &closed) && end.Code != 0 && end.RefusesToken() && !end.WithToken:
		return fmt.Errorf("the platform closed the last one with code %d (%.123q); %s", closed.Code, closed.Text, wsclient.RefusalAdvice(false))
	case errors.As(end.Err, &closed) && end.Code != 0 && end.RefusesToken():
		return fmt.Errorf("the platform closed the last one with code %d (%.123q), which refuses the token: check oauth2, and what the client may do", closed.Code, closed.Text)
	case errors.As(end.Err, &closed) && end.Code != 0:
		return fmt.Errorf("the platform closed the last one with code %d (%.123q)", closed.Code, closed.Text)
	case end.Err != nil:
		return fmt.Errorf("the last one ended: %s: %w", end.Cause, end.Err)
	default:
		return fmt.Errorf("the last one ended: %s", end.Cause)
	}
}
