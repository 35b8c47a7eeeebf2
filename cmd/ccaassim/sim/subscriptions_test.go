// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent, c.Queues = true, 1200 })
	c := newClient(t, server)
	token := c.token(t)
	var topics []string
	for _, queue := range server.directory.queues {
		topics = append(topics, "v2.routing.queues."+queue+".conversations.messages")
	}
	channel := c.channel(t, token)
	path := ChannelsPath + "/" + channel.ID + "/subscriptions"
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

	require.NoError(t, server.Trouble(func(t *Trouble) { t.TopicReject = Rejection{Texts: []string{server.directory.queues[1]}} }))
	mixed := topicsJSON(topics[0], topics[1], "v2.users.nobody.conversations.messages", socketClosingTopic)
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

	require.NoError(t, server.Trouble(func(t *Trouble) { t.TopicReject = Rejection{Share: 0.3} }))
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
		"no such channel": {ChannelsPath + "/nobody/subscriptions", "[]"},
		"not a list":      {path, "{}"},
	} {
		status, _ := send(http.MethodPut, bad.path, bad.body)
		assert.GreaterOrEqual(t, status, 400, name)
	}
	status, _, _ = c.do(t, http.MethodGet, path, c.tokenOf(t, "another"), "")
	assert.Equal(t, http.StatusNotFound, status, "of another client")
	status, _, _ = c.do(t, http.MethodPost, ChannelsPath, "made-up", "")
	assert.Equal(t, http.StatusUnauthorized, status)
}

func TestOverlappingSubscriptionsWipeEachOther(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	topics := c.queueTopics(t, token)
	channel := c.channel(t, token)
	// Often enough two of four at once do meet.
	require.Eventually(t, func() bool {
		c.subscribe(t, token, channel.ID)
		made := server.channels.find(channel.ID)
		var changes sync.WaitGroup
		for _, topic := range topics {
			changes.Go(func() {
				_ = server.channels.change(made, grant{}, func(now []string) []string { return append(now, topic) })
			})
		}
		changes.Wait()
		return len(server.channels.topics(made)) < len(topics)
	}, 20*time.Second, time.Millisecond)
	assert.Positive(t, server.Truth().Requests.OverlappingSubscriptions)
}
