// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	queuesPerPage = 100
	maxPages      = 1000
)

// share returns the topics of a session. Session 0 requests the queues first; sessions
// without topics wait.
func (c *Channels) share(ctx context.Context, access wsclient.Access, number int) ([]string, *wsclient.Failure) {
	for {
		c.mutex.Lock()
		known, changed := c.known, c.changed
		var mine []string
		if number < len(c.shares) {
			mine = slices.Clone(c.shares[number])
		}
		c.mutex.Unlock()
		switch {
		case len(mine) > 0:
			return mine, nil
		case !known && number == 0:
			if failure := c.discover(ctx, access); failure != nil {
				return nil, failure
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, wsclient.NewFailure(wsclient.Shutdown, false, ctx.Err())
		}
	}
}

// Refresh requests the queues, and subscribes to new ones. It does nothing if topics are
// configured, or not known yet.
func (c *Channels) Refresh(ctx context.Context, access wsclient.Access) *wsclient.Failure {
	c.mutex.Lock()
	known, before := c.known, c.shares
	c.mutex.Unlock()
	if !known || len(c.settings.Topics) > 0 {
		return nil
	}
	if failure := c.discover(ctx, access); failure != nil {
		return failure
	}
	c.mutex.Lock()
	after := c.shares
	c.mutex.Unlock()
	for number, topics := range after {
		channel := c.channel(number)
		if channel == nil || number < len(before) && slices.Equal(before[number], topics) {
			continue
		}
		if failure := c.subscribe(ctx, access, channel, topics); failure != nil {
			return failure
		}
	}
	return nil
}

// discover requests the queues, and spreads their topics.
func (c *Channels) discover(ctx context.Context, access wsclient.Access) *wsclient.Failure {
	c.discovering.Lock()
	defer c.discovering.Unlock()
	var topics []string
	for page, pages := 1, 1; page <= min(pages, maxPages) && len(topics) < queuesPerPage*maxPages; page++ {
		at := c.settings.API.JoinPath("/api/v2/routing/queues")
		at.RawQuery = url.Values{"pageSize": {strconv.Itoa(queuesPerPage)}, "pageNumber": {strconv.Itoa(page)}}.Encode()
		call := &wsclient.Call{What: "queues", Method: http.MethodGet, URL: at, Token: access.Token}
		body, failure := wsclient.Do(ctx, c.settings.Client, call)
		if failure != nil {
			return failure
		}
		var answer struct {
			Entities []struct {
				ID string `json:"id"`
			} `json:"entities"`
			PageCount int `json:"pageCount"`
		}
		if json.Unmarshal(body, &answer) != nil {
			return call.BadAnswerTo("the answer is no list of queues")
		}
		for _, queue := range answer.Entities {
			if queue.ID != "" {
				topics = append(topics, QueueTopic(queue.ID))
			}
		}
		pages = answer.PageCount
	}
	if len(topics) == 0 {
		return wsclient.NewFailure(wsclient.NotFound, true, errors.New("queues: there are none that the OAuth client may see; "+
			"grant its role routing:queue:view, or set notifications::topics"))
	}
	c.spread(topics)
	return nil
}

// spread assigns topics to sessions. A topic stays with its session.
func (c *Channels) spread(topics []string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	slices.Sort(topics)
	topics = slices.Compact(topics)
	want := min(max(c.settings.Channels, (len(topics)+MaxTopics-1)/MaxTopics, 1), MaxCarrying, max(len(topics), 1))
	shares := make([][]string, max(want, len(c.shares)))
	placed := map[string]bool{}
	for number, share := range c.shares {
		for _, id := range share {
			if _, there := slices.BinarySearch(topics, id); there {
				shares[number] = append(shares[number], id)
				placed[id] = true
			}
		}
	}
	leftOut := 0
	for _, id := range topics {
		if placed[id] {
			continue
		}
		least := 0
		for number := range shares {
			if len(shares[number]) < len(shares[least]) {
				least = number
			}
		}
		if len(shares[least]) >= MaxTopics {
			leftOut++
			continue
		}
		shares[least] = append(shares[least], id)
	}
	for _, share := range shares {
		slices.Sort(share)
	}
	maps.DeleteFunc(c.rejected, func(id string, _ bool) bool {
		_, there := slices.BinarySearch(topics, id)
		return !there
	})
	c.shares, c.known = shares, true
	close(c.changed)
	c.changed = make(chan struct{})
	if leftOut > 0 {
		c.settings.LeftOut(leftOut)
	}
}

// Watch refreshes at an interval until ctx ends. Failed reports errors.
func (c *Channels) Watch(ctx context.Context, every time.Duration, tokens *wsclient.Tokens, failed func(*wsclient.Failure)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		access, failure := tokens.Get(ctx)
		if failure == nil {
			failure = c.Refresh(ctx, access)
		}
		if failure != nil && ctx.Err() == nil {
			failed(failure)
		}
	}
}
