// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// topic is one in a list of subscriptions, and the platform's answer to it.
type topic struct {
	ID                 string   `json:"id"`
	State              string   `json:"state,omitempty"`
	RejectionReason    string   `json:"rejectionReason,omitempty"`
	MissingPermissions []string `json:"missingPermissions,omitempty"`
}

// subscribe gives a channel its topics, in place of those it had. That also
// prolongs its life.
func (c *Channels) subscribe(ctx context.Context, access wsclient.Access, to *channel, topics []string) *wsclient.Failure {
	list := make([]topic, len(topics))
	for i, id := range topics {
		list[i] = topic{ID: id}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return wsclient.NewFailure(wsclient.Refused, true, err)
	}
	at := c.settings.API.JoinPath("/api/v2/notifications/channels", to.id, "subscriptions")
	at.RawQuery = "ignoreErrors=true"
	call := &wsclient.Call{What: "subscriptions", Method: http.MethodPut, URL: at, Token: access.Token, Body: body}

	c.subscribing.Lock()
	defer c.subscribing.Unlock()
	body, failure := wsclient.Do(ctx, c.settings.Client, call)
	if failure != nil {
		return failure
	}
	var answer struct {
		Entities []topic `json:"entities"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return call.BadAnswerTo("the answer is no list of topics")
	}
	return c.answered(topics, answer.Entities)
}

// answered looks at what became of each topic. It is a failure if none was given.
func (c *Channels) answered(asked []string, answers []topic) *wsclient.Failure {
	missing := map[string]bool{}
	var refused []topic
	for _, one := range answers {
		if strings.EqualFold(one.State, "Rejected") {
			refused = append(refused, one)
			for _, permission := range one.MissingPermissions {
				missing[permission] = true
			}
		}
	}
	for _, one := range c.noteRejected(asked, refused) {
		c.settings.Rejected(one.ID, one.RejectionReason, one.MissingPermissions)
	}
	if len(refused) == 0 || len(refused) < len(asked) {
		return nil
	}
	hint := "check notifications::topics"
	if len(missing) > 0 {
		hint = "grant the OAuth client's role " + strings.Join(wsclient.TruncateList(slices.Sorted(maps.Keys(missing))), ", ")
	}
	return wsclient.NewFailure(wsclient.Unauthorized, true,
		fmt.Errorf("subscriptions: the platform rejects all %d topics, the first (%.128q) for %.128q; %s", len(refused), refused[0].ID, refused[0].RejectionReason, hint))
}

// noteRejected remembers which of the topics asked for are rejected, and gives
// those that were not before.
func (c *Channels) noteRejected(asked []string, refused []topic) (news []topic) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	still := map[string]bool{}
	for _, one := range refused {
		if !slices.Contains(asked, one.ID) {
			continue
		}
		still[one.ID] = true
		if !c.rejected[one.ID] {
			news = append(news, one)
			c.rejected[one.ID] = true
		}
	}
	for _, id := range asked {
		if !still[id] {
			delete(c.rejected, id)
		}
	}
	return news
}

// Topics is how many topics there are, and how many of them the platform rejects.
func (c *Channels) Topics() (all, rejected int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, share := range c.shares {
		all += len(share)
	}
	return all, len(c.rejected)
}
