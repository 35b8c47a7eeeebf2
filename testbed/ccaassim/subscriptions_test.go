// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent, c.Queues = true, 1200 })
	c := newClient(t, server)
	token := c.token(t)
	var topics []string
	for _, queue := range server.host.Directory.Queues {
		topics = append(topics, "v2.routing.queues."+queue+".conversations.messages")
	}
	channel := c.channel(t, token)
	path := notifications.ChannelsPath + "/" + channel.ID + "/subscriptions"
	subscribed := func() int {
		status, _, body := c.do(t, http.MethodGet, path, token, "")
		require.Equal(t, http.StatusOK, status)
		return len(decode[topicList](t, body).Entities)
	}
	send := func(method, path, body string) (int, string) {
		status, _, answer := c.do(t, method, path, token, body)
		return status, answer
	}

	c.subscribe(t, token, channel.ID, topics[:3]...)
	status, body := send(http.MethodPost, path, topicsJSON(topics[2:10]...))
	require.Equal(t, http.StatusOK, status, body)
	assert.Equal(t, "Permitted", decode[topicList](t, body).Entities[0].State)
	assert.Equal(t, 10, subscribed(), "POST adds, each topic once")
	c.subscribe(t, token, channel.ID, topics[5])
	assert.Equal(t, 1, subscribed(), "PUT replaces")
	status, body = send(http.MethodPut, path, topicsJSON(topics[:1001]...))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "at most 1000")
	c.subscribe(t, token, channel.ID, topics[:1000]...)
	assert.Equal(t, 1000, subscribed())

	require.NoError(t, server.Trouble(func(t *fault.Trouble) {
		t.TopicReject = fault.Rejection{Texts: []string{server.host.Directory.Queues[1]}}
	}))
	mixed := topicsJSON(topics[0], topics[1], "v2.users.nobody.conversations.messages", notifications.SocketClosingTopic)
	status, body = send(http.MethodPut, path, mixed)
	assert.Equal(t, http.StatusBadRequest, status, body)
	assert.Equal(t, 1000, subscribed(), "nothing has changed")
	status, body = send(http.MethodPut, path+"?ignoreErrors=true", mixed)
	require.Equal(t, http.StatusOK, status)
	judged := decode[topicList](t, body).Entities
	require.Len(t, judged, 4)
	assert.Equal(t, "Rejected", judged[1].State)
	assert.Equal(t, []string{"conversation:message:view"}, judged[1].MissingPermissions)
	assert.Equal(t, "Unknown topic", judged[2].RejectionReason)
	assert.Equal(t, 2, subscribed())

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.TopicReject = fault.Rejection{Share: 0.3} }))
	_, body = send(http.MethodPut, path+"?ignoreErrors=true", topicsJSON(topics[:1000]...))
	rejected := 0
	for _, topic := range decode[topicList](t, body).Entities {
		if topic.State == "Rejected" {
			rejected++
		}
	}
	assert.InDelta(t, 300, rejected, 60)

	status, _ = send(http.MethodDelete, path, "")
	assert.Equal(t, http.StatusNoContent, status)
	assert.Zero(t, subscribed())
	for name, bad := range map[string]struct{ path, body string }{
		"no such channel": {notifications.ChannelsPath + "/nobody/subscriptions", "[]"},
		"not a list":      {path, "{}"},
	} {
		status, _ := send(http.MethodPut, bad.path, bad.body)
		assert.GreaterOrEqual(t, status, 400, name)
	}
	status, _, _ = c.do(t, http.MethodGet, path, c.tokenOf(t, "another"), "")
	assert.Equal(t, http.StatusNotFound, status, "of another client")
	status, _, _ = c.do(t, http.MethodPost, notifications.ChannelsPath, "made-up", "")
	assert.Equal(t, http.StatusUnauthorized, status)
}

func TestOverlappingSubscriptionsWipeEachOther(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	topics := c.queueTopics(t, token)
	channel := c.channel(t, token)
	path := notifications.ChannelsPath + "/" + channel.ID + "/subscriptions"
	// Two of four concurrent requests overlap often enough.
	require.Eventually(t, func() bool {
		c.subscribe(t, token, channel.ID)
		var changes sync.WaitGroup
		for _, topic := range topics {
			changes.Go(func() { c.do(t, http.MethodPost, path, token, topicsJSON(topic)) })
		}
		changes.Wait()
		_, _, body := c.do(t, http.MethodGet, path, token, "")
		return len(decode[topicList](t, body).Entities) < len(topics)
	}, 20*time.Second, time.Millisecond)
	assert.Positive(t, server.Truth().Requests.OverlappingSubscriptions)
}
