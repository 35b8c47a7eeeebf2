// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// subscriptionCall finds the channel of a request about subscriptions.
func (a *endpoints) subscriptionCall(w http.ResponseWriter, r *http.Request) (*channel, api.Grant, bool) {
	g, ok := a.call(w, r, func(t *truth.RequestTruth) { t.Subscriptions++ }, func(t *fault.Trouble) *fault.Failure { return &t.SubscriptionFail })
	if !ok {
		return nil, g, false
	}
	c := a.channels.find(r.PathValue("id"))
	if c == nil || c.client != g.Client {
		api.Error(w, http.StatusNotFound, "channel "+r.PathValue("id")+" is unknown or gone")
		return nil, g, false
	}
	return c, g, true
}

// topicBody is a subscription as the API takes and shows it.
type topicBody struct {
	ID                 string   `json:"id"`
	State              string   `json:"state,omitempty"`
	RejectionReason    string   `json:"rejectionReason,omitempty"`
	MissingPermissions []string `json:"missingPermissions,omitempty"`
}

func (a *endpoints) getSubscriptions(w http.ResponseWriter, r *http.Request) {
	c, _, ok := a.subscriptionCall(w, r)
	if !ok {
		return
	}
	entities := []topicBody{}
	for _, name := range a.channels.topics(c) {
		entities = append(entities, topicBody{ID: name})
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"entities": entities})
}

func (a *endpoints) deleteSubscriptions(w http.ResponseWriter, r *http.Request) {
	if c, g, ok := a.subscriptionCall(w, r); ok {
		_ = a.channels.change(c, g, func([]string) []string { return nil }) // no topics are never too many
		w.WriteHeader(http.StatusNoContent)
	}
}

// subscribe is PUT and POST of subscriptions: the topics instead of those there
// are, or as well.
func (a *endpoints) subscribe(replace bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, g, ok := a.subscriptionCall(w, r)
		if !ok {
			return
		}
		var requested []topicBody
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&requested); err != nil {
			api.Error(w, http.StatusBadRequest, fmt.Sprintf(`body: %v; want [{"id":"topic"}, …]`, err))
			return
		}
		states, permitted, rejected := a.permit(requested)
		if rejected != "" && r.URL.Query().Get("ignoreErrors") != "true" {
			api.Error(w, http.StatusBadRequest, "topic "+rejected+" is rejected")
			return
		}
		err := a.channels.change(c, g, func(now []string) []string {
			if replace {
				return permitted
			}
			return union(now, permitted)
		})
		if err != nil {
			api.Error(w, http.StatusBadRequest, err.Error())
			return
		}
		api.WriteJSON(w, http.StatusOK, map[string]any{"entities": states})
	}
}

// permit returns the state of each requested topic, those that are permitted, and one
// that is rejected.
func (a *endpoints) permit(requested []topicBody) (states []topicBody, permitted []string, rejected string) {
	states = []topicBody{}
	for _, r := range requested {
		topic := topicBody{ID: r.ID, State: "Permitted"}
		_, known := a.catalog.topics[r.ID]
		switch {
		case !known && r.ID != SocketClosingTopic:
			topic.State, topic.RejectionReason = "Rejected", "Unknown topic"
		case a.Trouble.Now().TopicReject.Rejects(r.ID):
			topic.State, topic.RejectionReason = "Rejected", "Missing permissions"
			topic.MissingPermissions = []string{"conversation:message:view"}
		case known && !a.Trouble.Now().Permits(required(r.ID)):
			topic.State, topic.RejectionReason = "Rejected", "Missing permissions"
			topic.MissingPermissions = []string{required(r.ID)}
		default:
			permitted = append(permitted, r.ID)
		}
		if topic.State == "Rejected" {
			rejected = r.ID
		}
		states = append(states, topic)
	}
	return states, union(nil, permitted), rejected
}

// union is both lists, each topic once.
func union(a, b []string) []string {
	seen := map[string]bool{}
	var all []string
	for _, name := range slices.Concat(a, b) {
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return all
}
