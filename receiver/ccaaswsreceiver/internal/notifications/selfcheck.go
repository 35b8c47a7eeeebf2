// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// Inspection sends requests that change nothing at the platform.
type Inspection struct {
	Client *http.Client
	API    *url.URL
	Token  string
}

func (i *Inspection) get(ctx context.Context, what, path, query string, into any) *wsclient.Failure {
	at := i.API.JoinPath(path)
	at.RawQuery = query
	call := &wsclient.Call{What: what, Method: http.MethodGet, URL: at, Token: i.Token}
	body, failure := wsclient.Do(ctx, i.Client, call)
	if failure != nil {
		return failure
	}
	if err := json.Unmarshal(body, into); err != nil {
		return call.BadAnswerTo("the answer is not as the API documents it")
	}
	return nil
}

// Queues returns the number of queues that the client may see.
func (i *Inspection) Queues(ctx context.Context) (int, *wsclient.Failure) {
	var answer struct {
		Total    int               `json:"total"`
		Entities []json.RawMessage `json:"entities"`
	}
	failure := i.get(ctx, "queues", "/api/v2/routing/queues", "pageSize=1&pageNumber=1", &answer)
	return max(answer.Total, len(answer.Entities)), failure
}

// Channels returns the number of channels that the client has.
func (i *Inspection) Channels(ctx context.Context) (int, *wsclient.Failure) {
	var answer struct {
		Entities []json.RawMessage `json:"entities"`
	}
	failure := i.get(ctx, "channels", "/api/v2/notifications/channels", "includechannels=oauthclient", &answer)
	return len(answer.Entities), failure
}

// Granted are the permissions of a client.
type Granted struct {
	all map[string]bool // domain:entity:action; each may be *
}

// Granted requests the permissions of the client.
func (i *Inspection) Granted(ctx context.Context) (Granted, *wsclient.Failure) {
	var answer struct {
		Grants []struct {
			Role struct {
				Policies []struct {
					Domain     string   `json:"domain"`
					EntityName string   `json:"entityName"`
					Actions    []string `json:"actions"`
				} `json:"policies"`
			} `json:"role"`
		} `json:"grants"`
	}
	failure := i.get(ctx, "permissions", "/api/v2/authorization/subjects/me", "", &answer)
	granted := Granted{all: map[string]bool{}}
	for _, grant := range answer.Grants {
		for _, policy := range grant.Role.Policies {
			for _, action := range policy.Actions {
				granted.all[policy.Domain+":"+policy.EntityName+":"+action] = true
			}
		}
	}
	return granted, failure
}

const maxNamed = 12 // permissions; a list of more is not read

// String returns the number of permissions, and their names if they are few.
func (g Granted) String() string {
	if len(g.all) == 0 || len(g.all) > maxNamed {
		return strconv.Itoa(len(g.all))
	}
	names := slices.Sorted(maps.Keys(g.all))
	for n, name := range names { // of the platform, in a line of ours
		names[n] = wsclient.Truncate(name)
	}
	return fmt.Sprintf("%d: %s", len(names), strings.Join(names, ", "))
}

// Has reports whether a permission, as domain:entity:action, is granted.
func (g Granted) Has(permission string) bool {
	parts := strings.SplitN(permission, ":", 3)
	if len(parts) != 3 {
		return false
	}
	for _, domain := range []string{parts[0], "*"} {
		for _, entity := range []string{parts[1], "*"} {
			if g.all[domain+":"+entity+":"+parts[2]] || g.all[domain+":"+entity+":*"] {
				return true
			}
		}
	}
	return false
}

// TopicRule is a kind of topic, and what the client needs for it.
type TopicRule struct {
	ID                  string   `json:"id"` // with {name} for each parameter
	RequiresPermissions []string `json:"requiresPermissions"`
	PermissionDetails   []struct {
		Type              string   `json:"type"`
		Permissions       []string `json:"permissions"`
		AllowsCurrentUser bool     `json:"allowsCurrentUser"`
		Enforced          bool     `json:"enforced"`
	} `json:"permissionDetails"`
}

// TopicRules requests the kinds of topics that there are.
func (i *Inspection) TopicRules(ctx context.Context) ([]TopicRule, *wsclient.Failure) {
	var answer struct {
		Entities []TopicRule `json:"entities"`
	}
	failure := i.get(ctx, "available topics", "/api/v2/notifications/availabletopics",
		"expand=requiresPermissions,permissionDetails,topicParameters", &answer)
	return answer.Entities, failure
}

// matches reports whether a topic is of this kind.
func (t *TopicRule) matches(topic string) bool {
	parts, pattern := strings.Split(topic, "."), strings.Split(t.ID, ".")
	if len(parts) != len(pattern) {
		return false
	}
	for n, part := range pattern {
		if !strings.HasPrefix(part, "{") && !strings.EqualFold(part, parts[n]) || parts[n] == "" {
			return false
		}
	}
	return true
}

// refused returns the permissions that the client lacks for the kind of topic, and whether
// the platform refuses it.
func (t *TopicRule) refused(granted Granted) (missing []string, refused bool) {
	without := func(permissions []string) []string {
		return slices.DeleteFunc(slices.Clone(permissions), granted.Has)
	}
	if len(t.PermissionDetails) == 0 {
		missing = without(t.RequiresPermissions)
		return missing, len(missing) > 0
	}
	for _, detail := range t.PermissionDetails {
		if !detail.Enforced || detail.AllowsCurrentUser {
			continue
		}
		refused = true
		if lacks := without(detail.Permissions); len(lacks) > 0 {
			missing = append(missing, lacks...)
		} else { // granted, but not for what this kind of rule requires, as a division
			missing = append(missing, detail.Type)
		}
	}
	return missing, refused
}

// Verdict is what the platform would do with topics.
type Verdict struct {
	Unknown []string            // topics that do not exist
	Refused map[string][]string // by topic: the permissions that are missing
}

// Missing returns the permissions that any topic lacks, sorted.
func (v *Verdict) Missing() []string {
	all := map[string]bool{}
	for _, permissions := range v.Refused {
		for _, permission := range permissions {
			all[permission] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Judge compares topics with the kinds that there are, and with the permissions of the
// client. Control topics, which need none, need not be listed.
func Judge(topics []string, rules []TopicRule, granted Granted) Verdict {
	verdict := Verdict{Refused: map[string][]string{}}
	for _, topic := range topics {
		at := slices.IndexFunc(rules, func(rule TopicRule) bool { return rule.matches(topic) })
		switch {
		case at < 0 && !strings.HasPrefix(topic, "v2.system."):
			verdict.Unknown = append(verdict.Unknown, topic)
		case at >= 0:
			if missing, refused := rules[at].refused(granted); refused {
				verdict.Refused[topic] = missing
			}
		}
	}
	return verdict
}

// QueueTopic returns the topic of a queue.
func QueueTopic(id string) string { return "v2.routing.queues." + id + ".conversations.messages" }
