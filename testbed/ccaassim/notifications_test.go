// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// decode reads JSON that must be good.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal([]byte(text), &value), text)
	return value
}

// tokenOf gets a token for a client.
func (c *client) tokenOf(t *testing.T, id string) string {
	t.Helper()
	status, _, body := c.do(t, http.MethodPost, realtime.TokenPath, "", "grant_type=client_credentials&client_secret=x&client_id="+id)
	require.Equal(t, http.StatusOK, status)
	return decode[struct {
		AccessToken string `json:"access_token"`
	}](t, body).AccessToken
}

func (c *client) channel(t *testing.T, token string) wireChannel {
	t.Helper()
	status, _, body := c.do(t, http.MethodPost, notifications.ChannelsPath, token, "")
	require.Equal(t, http.StatusOK, status, body)
	return decode[wireChannel](t, body)
}

// wireChannel and wireTopic are as the API shows them.
type wireChannel struct {
	ConnectURI string    `json:"connectUri"`
	ID         string    `json:"id"`
	Expires    time.Time `json:"expires"`
}

type wireTopic struct {
	ID                 string   `json:"id"`
	State              string   `json:"state,omitempty"`
	RejectionReason    string   `json:"rejectionReason,omitempty"`
	MissingPermissions []string `json:"missingPermissions,omitempty"`
}

// channels are those of the token's client, by id.
func (c *client) channels(t *testing.T, token string) map[string]wireChannel {
	t.Helper()
	status, _, body := c.do(t, http.MethodGet, notifications.ChannelsPath, token, "")
	require.Equal(t, http.StatusOK, status)
	byID := map[string]wireChannel{}
	for _, channel := range decode[struct {
		Entities []wireChannel `json:"entities"`
	}](t, body).Entities {
		byID[channel.ID] = channel
	}
	return byID
}

type topicList struct {
	Entities []wireTopic `json:"entities"`
}

func topicsJSON(names ...string) string {
	topics := []wireTopic{}
	for _, name := range names {
		topics = append(topics, wireTopic{ID: name})
	}
	text, _ := json.Marshal(topics)
	return string(text)
}

func (c *client) subscribe(t *testing.T, token, channel string, names ...string) {
	t.Helper()
	status, _, body := c.do(t, http.MethodPut, notifications.ChannelsPath+"/"+channel+"/subscriptions", token, topicsJSON(names...))
	require.Equal(t, http.StatusOK, status, body)
}

// queueTopics are the topics of all queues, as a client finds them.
func (c *client) queueTopics(t *testing.T, token string) []string {
	t.Helper()
	var names []string
	for page, pages := 1, 1; page <= pages; page++ {
		status, _, body := c.do(t, http.MethodGet, fmt.Sprintf("%s?pageSize=3&pageNumber=%d", notifications.QueuesPath, page), token, "")
		require.Equal(t, http.StatusOK, status)
		list := decode[struct {
			PageCount int `json:"pageCount"`
			Entities  []struct {
				ID string `json:"id"`
			} `json:"entities"`
		}](t, body)
		for _, queue := range list.Entities {
			names = append(names, "v2.routing.queues."+queue.ID+".conversations.messages")
		}
		pages = list.PageCount
	}
	return names
}

func dialURL(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	require.NoError(t, err)
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*time.Minute)))
	return conn
}

// watch opens a channel that is subscribed to all queues.
func (c *client) watch(t *testing.T, token string) (*websocket.Conn, string) {
	t.Helper()
	channel := c.channel(t, token)
	c.subscribe(t, token, channel.ID, c.queueTopics(t, token)...)
	return dialURL(t, channel.ConnectURI), channel.ID
}

func TestPlatformCallsFailAndAreLimited(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	channel := c.channel(t, token)
	for path, fail := range map[string]func(*fault.Trouble){
		notifications.ChannelsPath: func(t *fault.Trouble) {
			t.ChannelFail = fault.Failure{Status: 503, Times: 1, RetryAfter: 3 * time.Second}
		},
		notifications.ChannelsPath + "/" + channel.ID + "/subscriptions": func(t *fault.Trouble) {
			t.SubscriptionFail = fault.Failure{Status: 429, Times: 1, RetryAfter: 3 * time.Second}
		},
		notifications.QueuesPath: func(t *fault.Trouble) {
			t.QueuesFail = fault.Failure{Status: 500, Times: 1, RetryAfter: 3 * time.Second}
		},
	} {
		require.NoError(t, server.Trouble(fail))
		status, header, _ := c.do(t, http.MethodGet, path, token, "")
		assert.GreaterOrEqual(t, status, 429, path)
		assert.Equal(t, "3", header.Get("Retry-After"))
		status, _, _ = c.do(t, http.MethodGet, path, token, "")
		assert.Equal(t, http.StatusOK, status, path)
	}
	status, _, _ := c.do(t, http.MethodGet, notifications.QueuesPath+"?pageSize=101", token, "")
	assert.Equal(t, http.StatusBadRequest, status)

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.RateLimit = 20 }))
	limited := c.tokenOf(t, "busy")
	for range 20 {
		status, _, _ := c.do(t, http.MethodGet, notifications.QueuesPath, limited, "")
		require.Equal(t, http.StatusOK, status)
	}
	status, header, _ := c.do(t, http.MethodGet, notifications.ChannelsPath, limited, "")
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.Regexp(t, `^(5\d|60)$`, header.Get("Retry-After"))
	status, _, _ = c.do(t, http.MethodGet, notifications.QueuesPath, c.tokenOf(t, "idle"), "")
	assert.Equal(t, http.StatusOK, status, "each token has its own limit")
	assert.Equal(t, int64(1), server.Truth().Requests.RateLimited)
}

func TestASilentChannelHasNoHeartbeat(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent, c.ChannelHeartbeat = true, 10*time.Millisecond })
	c := newClient(t, server)
	conn, _ := c.watch(t, c.token(t))
	_, _, err := conn.ReadMessage()
	require.NoError(t, err)
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = true }))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"message":"ping"}`)))
	for frames := 0; err == nil; frames++ {
		require.Less(t, frames, 500, "it goes on")
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
		_, _, err = conn.ReadMessage()
	}
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
