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
	// outageError is how long a connection may be without a socket that lasts before
	// that is an error of the component's status.
	outageError = 30 * time.Second
	// lastingAge is how long a socket is up before it counts as one that lasts.
	lastingAge = 10 * time.Second
)

// health decides whether a connection has a socket that lasts. A socket that the
// platform closes at once is none, however often one comes up. Its zero value is
// not ready; newHealth is. It is not safe for concurrent use.
type health struct {
	since    time.Time         // up to when a lasting socket was up; before the first, when the receiver started
	up       time.Time         // since when a socket is up; zero: none is
	short    int               // sockets since then that ended before they lasted
	failure  *wsclient.Failure // of the last attempt since then; nil: it succeeded, or there was none
	reason   error             // of the last end or failure; nil: there was none
	rotation *wsclient.Failure // what only an administrator can fix, of the last attempt at a rotation
}

func newHealth(now time.Time) health { return health{since: now} }

// connected reports a socket where none was.
func (h *health) connected(now time.Time) { h.up, h.failure, h.rotation = now, nil, nil }

// rotated reports a socket beside one that is up.
func (h *health) rotated() { h.rotation = nil }

// notRotated reports an attempt at a rotation that failed.
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
	if h.lasts(end.At) {
		h.since, h.short = end.At, 0
	} else {
		h.short++
	}
	h.up, h.rotation, h.reason = time.Time{}, nil, endReason(end)
}

func (h *health) lasts(now time.Time) bool { return !h.up.IsZero() && now.Sub(h.up) >= lastingAge }

// trouble is what the status reports of the connection at a time; nil: nothing.
// The text of one trouble does not change while it lasts.
func (h *health) trouble(now time.Time) error {
	switch {
	case h.lasts(now), !h.up.IsZero() && h.short == 0: // the first socket after an outage has the benefit of the doubt
		if h.lasts(now) {
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
		return fmt.Errorf("not connected: no socket has lasted for %v since %s: %w", lastingAge, since, h.reason)
	default:
		return fmt.Errorf("not connected: no socket since %s: %w", since, h.reason)
	}
}

// endReason is why a socket ended, for the status: the peer's close code and text
// where it gave them.
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
