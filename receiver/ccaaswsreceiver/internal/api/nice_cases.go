// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	casesPath       = "/dfo/3.0/contacts"
	casesPermission = "Digital Engagement > Analytics > View"
	// maxCaseLookups is how many cases are asked for by their ids in one turn: the API has
	// no request for several.
	maxCaseLookups = 250
)

// niceCases asks a tenant's API for its cases.
type niceCases struct {
	root func() *url.URL // nil: it is not known before the first connection
}

func newNICECases(hub *eventhub.Hub) *niceCases { return &niceCases{root: hub.API} }

func (n *niceCases) history() *History {
	return &History{Present: n.present, Lookup: n.lookup, Between: n.between}
}

func (n *niceCases) call(what string, query url.Values, path ...string) (*wsclient.Call, *wsclient.Failure) {
	root := n.root()
	if root == nil {
		return nil, wsclient.NewFailure(wsclient.Unavailable, false, errors.New("the address of the tenant's API is not known yet"))
	}
	at := root.JoinPath(append([]string{casesPath}, path...)...)
	at.RawQuery = query.Encode()
	return &wsclient.Call{What: what, Method: http.MethodGet, URL: at, Permission: casesPermission}, nil
}

// pages passes one page after the other, until there are no more or each returns false.
func (n *niceCases) pages(ctx context.Context, ask Ask, what string, query url.Values, each func(*history.Cases) (more bool)) *wsclient.Failure {
	for range maxHistoryPages {
		call, failure := n.call(what, query)
		if failure != nil {
			return failure
		}
		body, failure := ask(ctx, call)
		if failure != nil {
			return failure
		}
		page, err := history.DecodeCases(body)
		if err != nil {
			return call.BadAnswerTo("%w", err)
		}
		if !each(&page) || page.Next == "" {
			return nil
		}
		query.Set("scrollToken", page.Next)
	}
	return tooManyPages(what)
}

func (n *niceCases) present(ctx context.Context, ask Ask, apply Apply) (unlisted int64, failure *wsclient.Failure) {
	_, unlisted, failure = n.open(ctx, ask, apply)
	return unlisted, failure
}

// open takes the cases that are open, and returns their ids and how many more the platform
// counts. It asks for one page after the other. A case may move to another page meanwhile: it
// is in the number of hits, and asked for again.
func (n *niceCases) open(ctx context.Context, ask Ask, apply Apply) (cases map[string]bool, unlisted int64, failure *wsclient.Failure) {
	cases = map[string]bool{}
	var hits int64
	failure = n.pages(ctx, ask, "open cases", history.OpenCases(false), func(page *history.Cases) bool {
		before := len(cases)
		var sessions []reconcile.Session
		for i := range page.All {
			cases[page.All[i].Channel] = true
			sessions = append(sessions, page.All[i].Session)
		}
		applySessions(sessions, apply)
		hits = page.Hits
		return len(cases) > before && int64(len(cases)) < hits
	})
	return cases, max(0, hits-int64(len(cases))), failure
}

// lookup asks for cases by their ids. Where these are many, those that are open are listed
// first: 25 in a request. What is beyond the bound is left to the next turn.
func (n *niceCases) lookup(ctx context.Context, ask Ask, names []string, apply Apply) *wsclient.Failure {
	if len(names) > maxCaseLookups {
		open, _, failure := n.open(ctx, ask, apply)
		if failure != nil {
			return failure
		}
		names = slices.DeleteFunc(slices.Clone(names), func(id string) bool { return open[id] })
	}
	var missing []string
	for _, id := range names[:min(len(names), maxCaseLookups)] {
		one, found, failure := n.one(ctx, ask, id)
		switch {
		case failure != nil:
			return failure
		case !found:
			missing = append(missing, id)
		default:
			applySessions([]reconcile.Session{one}, apply)
		}
	}
	if failure := n.gone(ctx, ask, missing, apply); failure != nil {
		return failure
	}
	if rest := len(names) - maxCaseLookups; rest > 0 {
		return wsclient.NewFailure(wsclient.Quota, false, fmt.Errorf("%d cases are looked up at a time; %d are left", maxCaseLookups, rest))
	}
	return nil
}

// one asks for a case.
func (n *niceCases) one(ctx context.Context, ask Ask, id string) (one reconcile.Session, found bool, failure *wsclient.Failure) {
	call, failure := n.call("case", nil, url.PathEscape(id))
	if failure != nil {
		return one, false, failure
	}
	body, failure := ask(ctx, call)
	if failure != nil && (failure.Status == http.StatusNotFound || failure.Status == http.StatusGone) {
		return one, false, nil
	}
	if failure != nil {
		return one, false, failure
	}
	decoded, err := history.DecodeCase(body, id)
	if err != nil {
		return one, false, call.BadAnswerTo("%w", err)
	}
	return decoded.Session, true, nil
}

// gone takes the cases that the platform does not have for ended, unless it lists them as
// open: then it is the request that it does not have.
func (n *niceCases) gone(ctx context.Context, ask Ask, ids []string, apply Apply) *wsclient.Failure {
	if len(ids) == 0 {
		return nil
	}
	open, unlisted, failure := n.open(ctx, ask, apply)
	if failure != nil {
		return failure
	}
	if unlisted > 0 {
		return wsclient.NewFailure(wsclient.BadAnswer, false, fmt.Errorf("%d cases are not found, and %d are missing in the list of open ones", len(ids), unlisted))
	}
	var sessions []reconcile.Session
	for _, id := range ids {
		if !open[id] {
			sessions = append(sessions, reconcile.Session{Channel: id, Ended: true})
		}
	}
	applySessions(sessions, apply)
	return nil
}

// between asks for the cases that have ended, the one with the latest change first, down to
// the first page whose changes are all older; and for those that were created since then
// and are open. A case that had ended before, and was changed again, is no end of its
// own: of those that ended in the gap we know the channel, or they began in it.
func (n *niceCases) between(ctx context.Context, ask Ask, from, _ time.Time, apply Apply) *wsclient.Failure {
	since := from.Add(-clockMargin).UnixNano()
	began := func(one *history.Case) bool { return one.Start >= since }
	failure := n.pages(ctx, ask, "closed cases", history.ClosedCases(), func(page *history.Cases) bool {
		apply(func(match history.Match, take func(*reconcile.Session)) {
			for i := range page.All {
				one := &page.All[i]
				if _, known := match(one.Channel, one.Channel, "", ""); known || began(one) {
					take(&one.Session)
				}
			}
		})
		return slices.ContainsFunc(page.All, func(one history.Case) bool { return one.Changed >= since })
	})
	if failure != nil {
		return failure
	}
	return n.pages(ctx, ask, "open cases", history.OpenCases(true), func(page *history.Cases) bool {
		var sessions []reconcile.Session
		for i := range page.All {
			if began(&page.All[i]) {
				sessions = append(sessions, page.All[i].Session)
			}
		}
		applySessions(sessions, apply)
		return len(sessions) == len(page.All)
	})
}
