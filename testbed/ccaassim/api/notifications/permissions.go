// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"net/http"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Paths of what a client may find out about itself.
const (
	AvailableTopicsPath = "/api/v2/notifications/availabletopics"
	SubjectPath         = "/api/v2/authorization/subjects/me"
)

// Permissions of the simulated client's role, unless they are taken away.
const (
	viewQueues        = "routing:queue:view"
	viewConversations = "conversation:communication:view"
	viewMessages      = "conversation:message:view"
)

var permissions = []string{
	viewQueues, viewConversations, viewMessages, "analytics:queueObservation:view", "analytics:conversationDetail:view",
}

// topicKindBody is a kind of topic, with the permissions that it requires.
type topicKindBody struct {
	ID                  string             `json:"id"`
	RequiresPermissions []string           `json:"requiresPermissions"`
	PermissionDetails   []permissionDetail `json:"permissionDetails"`
	TopicParameters     []string           `json:"topicParameters"`
	Transports          []string           `json:"transports"`
	Visibility          string             `json:"visibility"`
}

type permissionDetail struct {
	Type              string   `json:"type"`
	Permissions       []string `json:"permissions"`
	AllowsCurrentUser bool     `json:"allowsCurrentUser"`
	Enforced          bool     `json:"enforced"`
}

// required returns the permission that a topic requires.
func required(topic string) string {
	if strings.HasSuffix(topic, ".messages") {
		return viewMessages
	}
	return viewConversations
}

// getAvailableTopics lists the kinds of topics. It needs no permission.
func (a *endpoints) getAvailableTopics(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.selfCall(w, r); !ok {
		return
	}
	t := a.Trouble.Now()
	entities := []topicKindBody{}
	for _, subject := range []string{"v2.routing.queues.{id}.conversations", "v2.users.{id}.conversations"} {
		for _, id := range []string{subject, subject + ".messages"} {
			permission := required(id)
			entities = append(entities, topicKindBody{
				ID: id, RequiresPermissions: []string{permission}, TopicParameters: []string{"id"}, Transports: []string{"All"}, Visibility: "Public",
				PermissionDetails: []permissionDetail{{
					Type: "requiresPermissions", Permissions: []string{permission}, AllowsCurrentUser: t.Permits(permission), Enforced: true,
				}},
			})
		}
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"entities": entities})
}

// getSubject lists the client's grants.
func (a *endpoints) getSubject(w http.ResponseWriter, r *http.Request) {
	g, ok := a.selfCall(w, r)
	if !ok {
		return
	}
	type policy struct {
		Domain     string   `json:"domain"`
		EntityName string   `json:"entityName"`
		Actions    []string `json:"actions"`
	}
	policies := []policy{}
	for _, permission := range permissions {
		if !a.Trouble.Now().Permits(permission) {
			continue
		}
		parts := strings.Split(permission, ":")
		policies = append(policies, policy{Domain: parts[0], EntityName: parts[1], Actions: parts[2:]})
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"id": g.Client, "name": g.Client, "grants": []any{map[string]any{
		"subjectId": g.Client, "division": map[string]any{"id": "*", "name": "Home"},
		"role": map[string]any{"id": "simulated", "name": "Simulated role", "policies": policies},
	}}})
}

// selfCall is a call about the client itself.
func (a *endpoints) selfCall(w http.ResponseWriter, r *http.Request) (api.Grant, bool) {
	return a.call(w, r, func(t *truth.RequestTruth) { t.SelfChecks++ }, func(t *fault.Trouble) *fault.Failure { return &t.SelfCheckFail })
}

// may reports whether the client has a permission; otherwise it responds as the platform
// does.
func (a *endpoints) may(w http.ResponseWriter, permission string) bool {
	if a.Trouble.Now().Permits(permission) {
		return true
	}
	api.Error(w, http.StatusForbidden, "Unable to perform the requested action. You are missing the following permission(s): "+permission)
	return false
}
