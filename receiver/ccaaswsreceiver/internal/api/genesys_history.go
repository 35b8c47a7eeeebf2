// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	activityPath     = "/api/v2/analytics/conversations/activity/query"
	detailsPath      = "/api/v2/analytics/conversations/details"
	detailsQueryPath = "/api/v2/analytics/conversations/details/query"
	observationsPath = "/api/v2/analytics/queues/observations/query"

	queueObservation   = "analytics:queueObservation:view"
	conversationDetail = "analytics:conversationDetail:view"

	// maxHistoryPages bounds the pages of one query.
	maxHistoryPages = 1000
	// maxInterval is the longest interval of a details query, and startedBefore how long
	// before a gap a conversation that ended in it may have begun, to be found by it.
	maxInterval   = 7 * 24 * time.Hour
	startedBefore = 24 * time.Hour
	// clockMargin is by how much the platform's clock may differ from ours.
	clockMargin = 30 * time.Second
)

// genesysHistory asks Genesys Cloud for the conversations of the queues of topics.
type genesysHistory struct {
	root   *url.URL
	topics func() []string
}

func (g *genesysHistory) history() *History {
	return &History{
		Present: g.present, Lookup: g.lookup, Between: g.between, Count: g.count,
	}
}

// queues returns the queues of the topics, in groups of the size of a request.
func (g *genesysHistory) queues() [][]string {
	var all []string
	for _, topic := range g.topics() {
		if queue, ok := history.QueueOf(topic); ok {
			all = append(all, queue)
		}
	}
	slices.Sort(all)
	return slices.Collect(slices.Chunk(slices.Compact(all), history.QueuesPerRequest))
}

// byParticipant reports whether participants are the channels: topics of one medium do
// not have the communications.
func (g *genesysHistory) byParticipant() bool {
	return slices.ContainsFunc(g.topics(), history.OfMedium)
}

func (g *genesysHistory) post(what, permission, path string, query url.Values, body []byte) *wsclient.Call {
	at := g.root.JoinPath(path)
	at.RawQuery = query.Encode()
	return &wsclient.Call{What: what, Method: http.MethodPost, URL: at, Body: body, Permission: permission}
}

// present asks who is open, and then for their participants: the first answer names one
// session of a conversation.
func (g *genesysHistory) present(ctx context.Context, ask Ask, apply Apply) (unlisted int64, failure *wsclient.Failure) {
	var conversations []string
	for _, queues := range g.queues() {
		for page := 1; page <= maxHistoryPages; page++ {
			call := g.post("activity query", queueObservation, activityPath, url.Values{
				"pageSize": {strconv.Itoa(history.ActivityPageSize)}, "pageNumber": {strconv.Itoa(page)},
			}, history.ActivityRequest(queues))
			body, failure := ask(ctx, call)
			if failure != nil {
				return 0, failure
			}
			found, err := history.DecodeActivity(body)
			if err != nil {
				return 0, call.BadAnswerTo("%w", err)
			}
			conversations = append(conversations, found.Conversations...)
			unlisted += found.Unlisted
			if found.Groups < history.ActivityPageSize {
				break
			}
		}
	}
	slices.Sort(conversations)
	conversations = slices.Compact(conversations)
	found, failure := g.details(ctx, ask, conversations, apply)
	return unlisted + int64(len(conversations)-found), failure
}

func (g *genesysHistory) lookup(ctx context.Context, ask Ask, names []string, apply Apply) *wsclient.Failure {
	_, failure := g.details(ctx, ask, names, apply)
	return failure
}

// details applies the conversations of names, and returns how many of them the platform has.
func (g *genesysHistory) details(ctx context.Context, ask Ask, names []string, apply Apply) (found int, failure *wsclient.Failure) {
	for some := range slices.Chunk(names, history.ConversationsPerRequest) {
		at := g.root.JoinPath(detailsPath)
		at.RawQuery = url.Values{"id": {strings.Join(some, ",")}}.Encode()
		call := &wsclient.Call{What: "conversation details", Method: http.MethodGet, URL: at, Permission: conversationDetail}
		all, failure := conversations(ctx, ask, call)
		if failure != nil {
			return found, failure
		}
		all = slices.DeleteFunc(all, func(c history.Conversation) bool { return !slices.Contains(some, c.ID) })
		g.take(all, apply)
		ids := map[string]bool{}
		for i := range all {
			ids[all[i].ID] = true
		}
		found += len(ids)
	}
	return found, nil
}

// conversations returns those of an answer.
func conversations(ctx context.Context, ask Ask, call *wsclient.Call) ([]history.Conversation, *wsclient.Failure) {
	body, failure := ask(ctx, call)
	if failure != nil {
		return nil, failure
	}
	all, err := history.DecodeConversations(body)
	if err != nil {
		return nil, call.BadAnswerTo("%w", err)
	}
	return all, nil
}

// take passes the channels of conversations.
func (g *genesysHistory) take(all []history.Conversation, apply Apply) {
	byParticipant := g.byParticipant()
	apply(func(match history.Match, take func(*reconcile.Session)) {
		for i := range all {
			all[i].Sessions(byParticipant, match, take)
		}
	})
}

// between asks for the conversations that ended since a time, and for those that began
// since then and are open. Both are sorted, so that a page with an older one is the last;
// a page that is shifted by new ones repeats some, which changes nothing.
func (g *genesysHistory) between(ctx context.Context, ask Ask, from, settled time.Time, apply Apply) *wsclient.Failure {
	since := from.Add(-clockMargin)
	start := from.Add(-startedBefore).UTC().Truncate(24 * time.Hour)
	if earliest := settled.Add(-maxInterval); start.Before(earliest) {
		start = earliest
	}
	older := func(c *history.Conversation, ended bool) bool {
		began, end := c.Times()
		if ended {
			return end < since.UnixNano()
		}
		return began < since.UnixNano()
	}
	for _, queues := range g.queues() {
		for _, ended := range []bool{true, false} {
			failure := g.pages(ctx, ask, apply, func(page int) []byte {
				return history.DetailsRequest(queues, start, settled, ended, page)
			}, func(c *history.Conversation) bool { return older(c, ended) })
			if failure != nil {
				return failure
			}
		}
	}
	return nil
}

// pages applies the pages of a details query, up to the one with a conversation that is the
// last of interest.
func (g *genesysHistory) pages(ctx context.Context, ask Ask, apply Apply, request func(page int) []byte, last func(*history.Conversation) bool) *wsclient.Failure {
	const what = "conversation details query"
	for page := 1; page <= maxHistoryPages; page++ {
		all, failure := conversations(ctx, ask, g.post(what, conversationDetail, detailsQueryPath, nil, request(page)))
		if failure != nil {
			return failure
		}
		g.take(all, apply)
		ended := len(all) < history.ConversationsPerRequest
		for i := range all {
			ended = ended || last(&all[i])
		}
		if ended {
			return nil
		}
	}
	return tooManyPages(what)
}

func (g *genesysHistory) count(ctx context.Context, ask Ask) (map[reconcile.Group]int64, *wsclient.Failure) {
	counts := map[reconcile.Group]int64{}
	for _, queues := range g.queues() {
		call := g.post("queue observations query", queueObservation, observationsPath, nil, history.ObservationsRequest(queues))
		body, failure := ask(ctx, call)
		if failure != nil {
			return nil, failure
		}
		some, err := history.DecodeObservations(body)
		if err != nil {
			return nil, call.BadAnswerTo("%w", err)
		}
		for group, n := range some {
			counts[group] += n
		}
	}
	return counts, nil
}
