// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAClientHasTwentyChannels(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.tokenOf(t, "one")
	oldest := c.channel(t, token)
	conn := dialURL(t, oldest.ConnectURI)
	require.NoError(t, server.WaitConnected(t.Context()))
	second := c.channel(t, token)
	other := c.channel(t, c.tokenOf(t, "two"))
	for range 19 {
		c.channel(t, token)
	}
	assert.Nil(t, server.channels.find(second.ID), "the oldest without a socket")
	assert.NotNil(t, server.channels.find(oldest.ID))
	assert.NotNil(t, server.channels.find(other.ID))
	status, _, body := c.do(t, http.MethodGet, ChannelsPath, token, "")
	require.Equal(t, http.StatusOK, status)
	var channels []string
	for _, channel := range decode[struct {
		Entities []wireChannel `json:"entities"`
	}](t, body).Entities {
		channels = append(channels, channel.ID)
		if channel.ID != oldest.ID {
			dialURL(t, channel.ConnectURI)
		}
	}
	assert.Len(t, channels, 20)
	require.NoError(t, server.WaitAccepted(t.Context(), 20))
	require.Eventually(t, func() bool { return server.channels.connected() == 20 }, 10*time.Second, time.Millisecond)
	c.channel(t, token)
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"result":"404","message":"the channel was evicted"}`, string(frame))
	_, _, err = conn.ReadMessage()
	assert.True(t, websocket.IsCloseError(err, websocket.ClosePolicyViolation), err)
	assert.Equal(t, ChannelTruth{Created: 23, Evicted: 2, Open: 21}, server.Truth().Channels)
}

// connected is how many channels have a socket.
func (c *channels) connected() (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		if one.socket != nil {
			count++
		}
	}
	return count
}

func TestChannelsExpireUnlessSubscribedAgain(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	conn, id := c.watch(t, token)
	require.NoError(t, server.WaitConnected(t.Context()))
	channel := server.channels.find(id)
	first := server.channels.expiryOf(channel)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), first, time.Minute)
	time.Sleep(2 * time.Millisecond)
	c.subscribe(t, token, id)
	assert.True(t, server.channels.expiryOf(channel).After(first))

	require.NoError(t, server.Trouble(func(t *Trouble) { t.ChannelTTL = 50 * time.Millisecond }))
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"result":"404","message":"the channel has expired"}`, string(frame))
	assert.Equal(t, int64(1), server.Truth().Channels.Expired)
	late := dialURL(t, server.advertised("ws")+channelSocket+id)
	_, frame, err = late.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, "404", decode[wireNotification](t, string(frame)).Result)
}

func TestChannelSocketsSpeakForThemselves(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent, c.ChannelHeartbeat, c.TokenTTL = true, 20*time.Millisecond, time.Hour })
	c := newClient(t, server)
	token := c.token(t)
	conn, id := c.watch(t, token)
	next := func(conn *websocket.Conn) wireNotification {
		_, frame, err := conn.ReadMessage()
		require.NoError(t, err)
		return decode[wireNotification](t, string(frame))
	}
	await := func(text string) {
		for n := next(conn); n.Body.Message != text; n = next(conn) {
			require.Equal(t, "channel.metadata", n.TopicName)
		}
	}
	await("WebSocket Heartbeat")
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"message":"ping"}`)))
	await("pong")
	require.NoError(t, server.Trouble(func(t *Trouble) { t.NoPong = true }))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"message":"ping"}`)))
	for range 5 {
		assert.Equal(t, "WebSocket Heartbeat", next(conn).Body.Message)
	}

	second := dialURL(t, server.advertised("ws")+channelSocket+id)
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			assert.True(t, websocket.IsCloseError(err, 1000), "a channel has one socket: %v", err)
			break
		}
	}
	require.NoError(t, server.WaitAccepted(t.Context(), 2))
	require.NoError(t, server.Trouble(func(t *Trouble) { t.SocketClosingGrace = 200 * time.Millisecond }))
	announced := time.Now()
	status, _, _ := c.do(t, http.MethodPost, "/trouble/socket-closing", "", "")
	require.Equal(t, http.StatusNoContent, status)
	for n := next(second); n.TopicName != socketClosingTopic; n = next(second) {
		require.Equal(t, "channel.metadata", n.TopicName)
	}
	for {
		if _, _, err := second.ReadMessage(); err != nil {
			assert.True(t, websocket.IsCloseError(err, 1001), err)
			break
		}
	}
	assert.Greater(t, time.Since(announced), 200*time.Millisecond, "after the grace")

	require.NoError(t, server.Trouble(func(t *Trouble) { t.SocketClosingEvery = 20 * time.Millisecond }))
	third := dialURL(t, server.advertised("ws")+channelSocket+id)
	for n := next(third); n.TopicName != socketClosingTopic; n = next(third) {
		require.Equal(t, "channel.metadata", n.TopicName)
	}
}

func TestAChannelsTokenExpires(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent, c.TokenTTL, c.Trouble.CloseExpired = true, 2*time.Second, true })
	c := newClient(t, server)
	conn, id := c.watch(t, c.token(t))
	time.Sleep(500 * time.Millisecond)
	renewed := time.Now()
	c.subscribe(t, c.token(t), id) // with a new token
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"result":"404","message":"token expired"}`, string(frame))
	assert.Greater(t, time.Since(renewed), 1900*time.Millisecond)
}
