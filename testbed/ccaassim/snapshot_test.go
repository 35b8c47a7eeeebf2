// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"encoding/json"
	"strings"
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

func TestNotifications_TruthEqualsWhatTheClientReceived(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"real time":  func(c *config.Config) { c.Rate = 4000 },
		"full speed": func(c *config.Config) { c.FullSpeed = true },
		"announced":  func(c *config.Config) { c.FullSpeed, c.Announce = true, true },
		"troubled": func(c *config.Config) {
			c.Rate, c.Trouble.Duplicates, c.Trouble.Jitter = 4000, 0.1, 50*time.Millisecond
		},
		"broadcast": func(c *config.Config) { c.Rate, c.Broadcast = 4000, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, func(c *config.Config) {
				oneTenant(c)
				c.Events, c.DropRate, c.SnapshotMessages = 2000, 20, 1000
				change(c)
			})
			c := newClient(t, server)
			d := newDiffer()
			conn, _ := c.watch(t, c.token(t))
			frames := recorded(conn)
			<-server.Done()
			server.CloseSockets(1000, "")
			d.all(t, frames())
			truth := server.Truth()
			notified := truth.APIs["notifications"]
			assert.Equal(t, d.counts, apiCounts(notified))
			assert.Equal(t, notified.Total.Events(), notified.Events)
			assert.Equal(t, int64(2000), truth.Events+truth.Unsubscribed.Events)
			assert.True(t, truth.Unsubscribed.Events == 0 || name == "troubled", "only with jitter an opening comes after a message")
			assert.Equal(t, 2*truth.Total.ConnectionsOpened, notified.Total.ConnectionsOpened)
			assert.Equal(t, truth.Total.ConnectionsDropped, notified.Total.ConnectionsDropped)
			assert.Equal(t, truth.Total.PayloadBytes, notified.Total.PayloadBytes)
			assert.Equal(t, int64(d.frames), truth.Frames)
			assert.Equal(t, int64(d.frames), 2000+truth.Duplicates)
		})
	}
}

func TestNotifications_LaterSnapshotDeliversMissedEvents(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.Rate, c.Sessions, c.Lossy, c.SnapshotMessages = 2000, 30, true, 1000
	})
	c := newClient(t, server)
	token := c.token(t)
	d := newDiffer()
	conn, id := c.watch(t, token)
	frames := recorded(conn)
	notified := func() truth.APITruth { return server.Truth().APIs["notifications"] }
	require.Eventually(t, func() bool { return notified().Events > 300 }, time.Minute, time.Millisecond)
	server.CloseSockets(1000, "")
	d.all(t, frames())
	before := notified()
	require.Eventually(t, func() bool { return notified().Missed.Events > before.Missed.Events+200 }, time.Minute, time.Millisecond)

	conn = dialURL(t, server.host.URL("ws")+notifications.SocketPath+id)
	frames = recorded(conn)
	require.Eventually(t, func() bool { return notified().Events > before.Events+1500 }, time.Minute, time.Millisecond)
	server.CloseSockets(1000, "")
	d.all(t, frames())
	now := notified()
	assert.Equal(t, d.counts, apiCounts(now))
	missedThen := int64(0)
	for _, spell := range now.Missed.Intervals {
		missedThen += spell.Events
	}
	assert.Less(t, now.Missed.Events, missedThen, "some of it was delivered later")
	assert.Positive(t, now.Missed.Events, "what ended meanwhile is not sent again")
}

func TestNotifications_SocketGetsItsTopics(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.Rate, c.Events, c.Sessions = 4000, 2000, 100
	})
	c := newClient(t, server)
	token := c.token(t)
	topics := c.queueTopics(t, token)
	require.Len(t, topics, 4)
	agent := "v2.users." + server.host.Directory.Agents[0] + ".conversations"
	channel := c.channel(t, token)
	c.subscribe(t, token, channel.ID, topics[0], agent)
	conn := dialURL(t, channel.ConnectURI)
	frames := map[string]int{}
	read := recorded(conn)
	<-server.Done()
	server.CloseSockets(1000, "")
	for _, frame := range read() {
		n := decode[wireNotification](t, string(frame.text))
		frames[n.TopicName]++
		if n.TopicName == agent {
			leg := decode[map[string]any](t, string(n.Body.Participants[1].Messages[0]))
			assert.Contains(t, []any{"connected", "disconnected"}, leg["state"])
			assert.Contains(t, leg, "messages")
			assert.Equal(t, server.host.Directory.Agents[0], n.Body.Participants[1].User.ID)
		}
	}
	assert.Len(t, frames, 2)
	truth := server.Truth()
	assert.InDelta(t, 500, frames[topics[0]], 250)
	assert.Positive(t, frames[agent])
	assert.GreaterOrEqual(t, int64(frames[topics[0]]+frames[agent]), truth.Events, "a frame for each topic")
	assert.Equal(t, int64(2000), truth.Events+truth.Unsubscribed.Events)
	assert.Positive(t, truth.Unsubscribed.Events)
}

func TestNotifications_EventOnTwoChannelsCountsOnce(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.Rate, c.SnapshotMessages = 2000, 1000
	})
	notified := func() truth.APITruth { return server.Truth().APIs["notifications"] }
	c := newClient(t, server)
	token := c.token(t)
	d := newDiffer()
	first, _ := c.watch(t, token)
	d.until(t, first, 500)
	second, _ := c.watch(t, token) // make before break
	require.NoError(t, server.WaitAccepted(t.Context(), 2))
	frames := recorded(second)
	d.until(t, first, notified().Events+200) // all that only the first received, and some that both did
	require.NoError(t, first.Close())
	left := notified().Events
	require.Eventually(t, func() bool { return notified().Events > left+500 }, time.Minute, time.Millisecond)
	server.CloseSockets(1000, "")
	d.all(t, frames())
	truth := server.Truth()
	assert.Equal(t, d.counts, apiCounts(truth.APIs["notifications"]), "no loss, nothing twice")
	assert.Greater(t, truth.Frames, truth.Events+50, "both sockets had what happened in the overlap")
}

func TestMalformedNotifications(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.FullSpeed, c.Events, c.SnapshotMessages, c.Trouble.Malformed, c.Trouble.OversizedBytes = true, 3000, 1, 0.1, 70_000
	})
	c := newClient(t, server)
	conn, _ := c.watch(t, c.token(t))
	good, bad := 0, int64(0)
	read := recorded(conn)
	<-server.Done()
	server.CloseSockets(1000, "")
	for _, frame := range read() {
		text := string(frame.text)
		switch {
		case frame.kind == websocket.BinaryMessage, !json.Valid(frame.text), len(text) > 70_000:
			bad++
		case strings.Contains(text, `"extra":[[`), strings.Contains(text, `"invalid":`):
			bad++
		default:
			good++
		}
	}
	truth := server.Truth()
	notified := int64(0)
	for kind, count := range truth.Violations {
		malformed, err := fault.ParseMalformation(kind)
		require.NoError(t, err)
		assert.True(t, malformed.Alone(), kind)
		notified += count
	}
	assert.Equal(t, bad, notified)
	assert.Equal(t, 3000, good)
	assert.Len(t, truth.Violations, int(fault.DuplicateKey-fault.NotJSON))
}
