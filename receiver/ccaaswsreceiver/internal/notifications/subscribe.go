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

// topic is a subscription, and its state in the platform's response.
type topic struct {
	ID                 string   `json:"id"`
	State              string   `json:"state,omitempty"`
	RejectionReason    string   `json:"rejectionReason,omitempty"`
	MissingPermissions []string `json:"missingPermissions,omitempty"`
}

// subscribe replaces the topics of a channel, which also extends its lifetime.
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
	return c.checkSubscriptions(topics, answer.Entities)
}

// checkSubscriptions reports rejected topics. It returns a failure if all are rejected.
func (c *Channels) checkSubscriptions(requested []string, answers []topic) *wsclient.Failure {
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
	for _, one := range c.updateRejected(requested, refused) {
		c.settings.Rejected(one.ID, one.RejectionReason, one.MissingPermissions)
	}
	if len(refused) == 0 || len(refused) < len(requested) {
		return nil
	}
	hint := "check notifications::topics"
	if len(missing) > 0 {
		hint = "grant the OAuth client's role " + strings.Join(wsclient.TruncateList(slices.Sorted(maps.Keys(missing))), ", ")
	}
	return wsclient.NewFailure(wsclient.Unauthorized, true,
		fmt.Errorf("subscriptions: the platform rejects all %d topics, the first (%.128q) for %.128q; %s", len(refused), refused[0].ID, refused[0].RejectionReason, hint))
}

// updateRejected records which of the requested topics are rejected, and returns those
// that were not before.
func (c *Channels) updateRejected(requested []string, refused []topic) (added []topic) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	still := map[string]bool{}
	for _, one := range refused {
		if !slices.Contains(requested, one.ID) {
			continue
		}
		still[one.ID] = true
		if !c.rejected[one.ID] {
			added = append(added, one)
			c.rejected[one.ID] = true
		}
	}
	for _, id := range requested {
		if !still[id] {
			delete(c.rejected, id)
		}
	}
	return added
}

// Topics returns the number of topics, and how many of them the platform rejects.
func (c *Channels) Topics() (all, rejected int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, share := range c.shares {
		all += len(share)
	}
	return all, len(c.rejected)
}
