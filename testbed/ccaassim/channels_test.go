// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

func TestAClientHasTwentyChannels(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.tokenOf(t, "one")
	oldest := c.channel(t, token)
	conn := dialURL(t, oldest.ConnectURI)
	require.NoError(t, server.WaitConnected(t.Context()))
	second := c.channel(t, token)
	another := c.tokenOf(t, "two")
	other := c.channel(t, another)
	for range 19 {
		c.channel(t, token)
	}
	assert.NotContains(t, c.channels(t, token), second.ID, "the oldest without a socket")
	assert.Contains(t, c.channels(t, token), oldest.ID)
	assert.Contains(t, c.channels(t, another), other.ID)
	channels := c.channels(t, token)
	assert.Len(t, channels, 20)
	for id, channel := range channels {
		if id != oldest.ID {
			dialURL(t, channel.ConnectURI)
		}
	}
	require.NoError(t, server.WaitAccepted(t.Context(), 20))
	require.Eventually(t, func() bool { return server.Truth().Sockets.Connected == 20 }, 10*time.Second, time.Millisecond)
	c.channel(t, token)
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"result":"404","message":"the channel was evicted"}`, string(frame))
	_, _, err = conn.ReadMessage()
	assert.True(t, websocket.IsCloseError(err, websocket.ClosePolicyViolation), err)
	assert.Equal(t, truth.ChannelTruth{Created: 23, Evicted: 2, Open: 21}, server.Truth().Channels)
}

func TestChannelsExpireUnlessSubscribedAgain(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	conn, id := c.watch(t, token)
	require.NoError(t, server.WaitConnected(t.Context()))
	first := c.channels(t, token)[id].Expires
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), first, time.Minute)
	time.Sleep(2 * time.Millisecond)
	c.subscribe(t, token, id)
	assert.True(t, c.channels(t, token)[id].Expires.After(first))

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.ChannelTTL = 50 * time.Millisecond }))
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"result":"404","message":"the channel has expired"}`, string(frame))
	assert.Equal(t, int64(1), server.Truth().Channels.Expired)
	late := dialURL(t, server.host.URL("ws")+notifications.SocketPath+id)
	_, frame, err = late.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, "404", decode[wireNotification](t, string(frame)).Result)
}

func TestChannelSocketsSpeakForThemselves(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent, c.ChannelHeartbeat, c.TokenTTL = true, 20*time.Millisecond, time.Hour
	})
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
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.NoPong = true }))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"message":"ping"}`)))
	for range 5 {
		assert.Equal(t, "WebSocket Heartbeat", next(conn).Body.Message)
	}

	second := dialURL(t, server.host.URL("ws")+notifications.SocketPath+id)
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			assert.True(t, websocket.IsCloseError(err, 1000), "a channel has one socket: %v", err)
			break
		}
	}
	require.NoError(t, server.WaitAccepted(t.Context(), 2))
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.SocketClosingGrace = 200 * time.Millisecond }))
	announced := time.Now()
	status, _, _ := c.do(t, http.MethodPost, "/trouble/socket-closing", "", "")
	require.Equal(t, http.StatusNoContent, status)
	for n := next(second); n.TopicName != notifications.SocketClosingTopic; n = next(second) {
		require.Equal(t, "channel.metadata", n.TopicName)
	}
	for {
		if _, _, err := second.ReadMessage(); err != nil {
			assert.True(t, websocket.IsCloseError(err, 1001), err)
			break
		}
	}
	assert.Greater(t, time.Since(announced), 200*time.Millisecond, "after the grace")

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.SocketClosingEvery = 20 * time.Millisecond }))
	third := dialURL(t, server.host.URL("ws")+notifications.SocketPath+id)
	for n := next(third); n.TopicName != notifications.SocketClosingTopic; n = next(third) {
		require.Equal(t, "channel.metadata", n.TopicName)
	}
}

func TestAChannelsTokenExpires(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent, c.TokenTTL, c.Trouble.CloseExpired = true, 2*time.Second, true })
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
