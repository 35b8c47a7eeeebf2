// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// subscriptionCall finds the channel of a request about subscriptions.
func (s *Server) subscriptionCall(w http.ResponseWriter, r *http.Request) (*channel, grant, bool) {
	g, ok := s.call(w, r, func(t *RequestTruth) { t.Subscriptions++ }, func(t *Trouble) *Failure { return &t.SubscriptionFail })
	if !ok {
		return nil, g, false
	}
	c := s.channels.find(r.PathValue("id"))
	if c == nil || c.client != g.client {
		platformError(w, http.StatusNotFound, "channel "+r.PathValue("id")+" is unknown or gone")
		return nil, g, false
	}
	return c, g, true
}

// wireTopic is a subscription as the API takes and shows it.
type wireTopic struct {
	ID                 string   `json:"id"`
	State              string   `json:"state,omitempty"`
	RejectionReason    string   `json:"rejectionReason,omitempty"`
	MissingPermissions []string `json:"missingPermissions,omitempty"`
}

func (s *Server) getSubscriptions(w http.ResponseWriter, r *http.Request) {
	c, _, ok := s.subscriptionCall(w, r)
	if !ok {
		return
	}
	entities := []wireTopic{}
	for _, name := range s.channels.topics(c) {
		entities = append(entities, wireTopic{ID: name})
	}
	writeJSON(w, http.StatusOK, map[string]any{"entities": entities})
}

func (s *Server) deleteSubscriptions(w http.ResponseWriter, r *http.Request) {
	if c, g, ok := s.subscriptionCall(w, r); ok {
		_ = s.channels.change(c, g, func([]string) []string { return nil }) // no topics are never too many
		w.WriteHeader(http.StatusNoContent)
	}
}

// subscribe is PUT and POST of subscriptions: the topics instead of those there
// are, or as well.
func (s *Server) subscribe(replace bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, g, ok := s.subscriptionCall(w, r)
		if !ok {
			return
		}
		var asked []wireTopic
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&asked); err != nil {
			platformError(w, http.StatusBadRequest, fmt.Sprintf(`body: %v; want [{"id":"topic"}, …]`, err))
			return
		}
		judged, permitted, rejected := s.judge(asked)
		if rejected != "" && r.URL.Query().Get("ignoreErrors") != "true" {
			platformError(w, http.StatusBadRequest, "topic "+rejected+" is rejected")
			return
		}
		err := s.channels.change(c, g, func(now []string) []string {
			if replace {
				return permitted
			}
			return union(now, permitted)
		})
		if err != nil {
			platformError(w, http.StatusBadRequest, err.Error())
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"entities": judged})
	}
}

// judge says of topics which may be subscribed to, and names one that may not.
func (s *Server) judge(asked []wireTopic) (judged []wireTopic, permitted []string, rejected string) {
	judged = []wireTopic{}
	for _, a := range asked {
		topic := wireTopic{ID: a.ID, State: "Permitted"}
		_, known := s.directory.topics[a.ID]
		switch {
		case !known && a.ID != socketClosingTopic:
			topic.State, topic.RejectionReason = "Rejected", "Unknown topic"
		case s.trouble.now().TopicReject.rejects(a.ID):
			topic.State, topic.RejectionReason = "Rejected", "Missing permissions"
			topic.MissingPermissions = []string{"conversation:message:view"}
		default:
			permitted = append(permitted, a.ID)
		}
		if topic.State == "Rejected" {
			rejected = a.ID
		}
		judged = append(judged, topic)
	}
	return judged, union(nil, permitted), rejected
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
