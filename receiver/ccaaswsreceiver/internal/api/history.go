// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// History are the requests for channels that a platform has. A nil function is one that
// the platform has no request for.
type History struct {
	// Present passes the channels that are open, and returns how many more there are than
	// the platform lists.
	Present func(ctx context.Context, ask Ask, apply Apply) (unlisted int64, failure *wsclient.Failure)
	// Lookup passes the channels of names in the history.
	Lookup func(ctx context.Context, ask Ask, names []string, apply Apply) *wsclient.Failure
	// Between passes the channels that were opened or closed since a time. The history is
	// complete up to settled. nil: what has ended in a gap follows from what Present no
	// longer lists. Its failure is ErrTooMany where there are more than may be asked for.
	Between func(ctx context.Context, ask Ask, from, settled time.Time, apply Apply) *wsclient.Failure
	// Count returns the number of open channels, or conversations, by group.
	Count func(ctx context.Context, ask Ask) (map[reconcile.Group]int64, *wsclient.Failure)
}

// ErrTooMany is the failure of a query that has more pages than are asked for.
var ErrTooMany = errors.New("more pages than are asked for")

func tooManyPages(what string) *wsclient.Failure {
	return wsclient.NewFailure(wsclient.Quota, false, fmt.Errorf("%s: %w: %d", what, ErrTooMany, maxHistoryPages))
}

// Function is one of History, as messages name it.
type Function string

// The functions.
const (
	AskPresent Function = "state at start"
	AskLookup  Function = "lookup of channels"
	AskBetween Function = "healing of gaps"
	AskCount   Function = "reconciliation of counts"
)

// Ask sends a request when it may be sent, with the token, and again while it fails for
// a reason that passes.
type Ask func(ctx context.Context, call *wsclient.Call) ([]byte, *wsclient.Failure)

// Apply calls a function with the means to look up a known channel, and to take a session.
type Apply func(func(match history.Match, take func(*reconcile.Session)))

// Observe takes a session of a snapshot.
type Observe func(s *reconcile.Session, now time.Time, to jsonevent.Sink)
