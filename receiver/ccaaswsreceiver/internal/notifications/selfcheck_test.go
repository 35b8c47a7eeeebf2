// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func grantedOf(permissions ...string) Granted {
	granted := Granted{all: map[string]bool{}}
	for _, one := range permissions {
		granted.all[one] = true
	}
	return granted
}

func TestGranted_Wildcards(t *testing.T) {
	t.Parallel()
	for permission, want := range map[string]bool{
		"routing:queue:view": true, "routing:queue:edit": false, "analytics:anything:view": true, "analytics:anything:edit": false,
		"conversation:message:view": true, "conversation:message:delete": true, "other": false, "": false,
	} {
		assert.Equal(t, want, grantedOf("routing:queue:view", "analytics:*:view", "conversation:message:*").Has(permission), permission)
	}
	assert.True(t, grantedOf("*:*:*").Has("a:b:c"))
}

func TestGranted_String(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "0", Granted{}.String())
	assert.Equal(t, "2: conversation:call:view, routing:queue:view", grantedOf("routing:queue:view", "conversation:call:view").String(), "in order")
	many := Granted{all: map[string]bool{}}
	for n := range maxNamed + 1 {
		many.all[fmt.Sprintf("a:b:%d", n)] = true
	}
	assert.Equal(t, "13", many.String())
}

func TestJudge(t *testing.T) {
	t.Parallel()
	var rules []TopicRule
	require.NoError(t, json.Unmarshal([]byte(`[
		{"id":"v2.routing.queues.{id}.conversations.messages","requiresPermissions":["conversation:message:view"],
		 "permissionDetails":[{"type":"requiresPermissions","permissions":["conversation:message:view"],"allowsCurrentUser":false,"enforced":true}]},
		{"id":"v2.users.{id}.conversations","permissionDetails":[{"type":"requiresAnyDivisionPermissions","permissions":["a:b:c"],"allowsCurrentUser":false,"enforced":true}]},
		{"id":"v2.users.{id}.presence","permissionDetails":[{"type":"requiresPermissions","permissions":["p:q:r"],"allowsCurrentUser":false,"enforced":false}]},
		{"id":"v2.old.{id}","requiresPermissions":["a:b:c","d:e:f"]}
	]`), &rules))
	verdict := Judge([]string{
		"v2.routing.queues.11.conversations.messages", "v2.users.22.conversations", "v2.users.22.presence", "v2.old.1",
		"v2.routing.queue.11.conversations", "v2.routing.queues..conversations.messages", "v2.system.socket_closing",
	}, rules, grantedOf("a:b:c"))
	assert.Equal(t, Verdict{
		Unknown: []string{"v2.routing.queue.11.conversations", "v2.routing.queues..conversations.messages"},
		Refused: map[string][]string{
			"v2.routing.queues.11.conversations.messages": {"conversation:message:view"},
			"v2.users.22.conversations":                   {"requiresAnyDivisionPermissions"}, // granted, but not there
			"v2.old.1":                                    {"d:e:f"},
		},
	}, verdict)
	assert.Equal(t, []string{"conversation:message:view", "d:e:f", "requiresAnyDivisionPermissions"}, verdict.Missing())
}
