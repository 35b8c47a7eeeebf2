// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSnapshotsTellTheTruth(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"real time":  func(c *Config) { c.Rate = 4000 },
		"full speed": func(c *Config) { c.FullSpeed = true },
		"announced":  func(c *Config) { c.FullSpeed, c.Announce = true, true },
		"troubled": func(c *Config) {
			c.Rate, c.Trouble.Duplicates, c.Trouble.Jitter = 4000, 0.1, 50*time.Millisecond
		},
		"broadcast": func(c *Config) { c.Rate, c.Broadcast = 4000, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, func(c *Config) {
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
			told := truth.APIs["notifications"]
			assert.Equal(t, d.counts, apiCounts(told))
			assert.Equal(t, told.Total.events(), told.Events)
			assert.Equal(t, int64(2000), truth.Events+truth.Unheard.Events)
			assert.True(t, truth.Unheard.Events == 0 || name == "troubled", "only jitter makes an opening no news")
			assert.Equal(t, 2*truth.Total.ConnectionsOpened, told.Total.ConnectionsOpened)
			assert.Equal(t, truth.Total.ConnectionsDropped, told.Total.ConnectionsDropped)
			assert.Equal(t, truth.Total.PayloadBytes, told.Total.PayloadBytes)
			assert.Equal(t, int64(d.frames), truth.Frames)
			assert.Equal(t, int64(d.frames), 2000+truth.Duplicates)
		})
	}
}

func TestSnapshotsHeal(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) {
		oneTenant(c)
		c.Rate, c.Sessions, c.Lossy, c.SnapshotMessages = 2000, 30, true, 1000
	})
	c := newClient(t, server)
	token := c.token(t)
	d := newDiffer()
	conn, id := c.watch(t, token)
	frames := recorded(conn)
	told := func() APITruth { return server.Truth().APIs["notifications"] }
	require.Eventually(t, func() bool { return told().Events > 300 }, time.Minute, time.Millisecond)
	server.CloseSockets(1000, "")
	d.all(t, frames())
	before := told()
	require.Eventually(t, func() bool { return told().Missed.Events > before.Missed.Events+200 }, time.Minute, time.Millisecond)

	conn = dialURL(t, server.advertised("ws")+channelSocket+id)
	frames = recorded(conn)
	require.Eventually(t, func() bool { return told().Events > before.Events+1500 }, time.Minute, time.Millisecond)
	server.CloseSockets(1000, "")
	d.all(t, frames())
	now := told()
	assert.Equal(t, d.counts, apiCounts(now))
	missedThen := int64(0)
	for _, spell := range now.Missed.Spells {
		missedThen += spell.Events
	}
	assert.Less(t, now.Missed.Events, missedThen, "some of it was healed")
	assert.Positive(t, now.Missed.Events, "what ended meanwhile is not told again")
}

func TestASocketHearsWhatItIsSubscribedTo(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) {
		oneTenant(c)
		c.Rate, c.Events, c.Sessions = 4000, 2000, 100
	})
	c := newClient(t, server)
	token := c.token(t)
	topics := c.queueTopics(t, token)
	require.Len(t, topics, 4)
	agent := "v2.users." + server.directory.agents[0] + ".conversations"
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
			assert.Equal(t, server.directory.agents[0], n.Body.Participants[1].User.ID)
		}
	}
	assert.Len(t, frames, 2)
	truth := server.Truth()
	assert.InDelta(t, 500, frames[topics[0]], 250)
	assert.Positive(t, frames[agent])
	assert.GreaterOrEqual(t, int64(frames[topics[0]]+frames[agent]), truth.Events, "a frame for each topic")
	assert.Equal(t, int64(2000), truth.Events+truth.Unheard.Events)
	assert.Positive(t, truth.Unheard.Events)
}

func TestTwoChannelsOfAClientBothHearAnEventThatCountsOnce(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) {
		oneTenant(c)
		c.Rate, c.SnapshotMessages = 2000, 1000
	})
	told := func() APITruth { return server.Truth().APIs["notifications"] }
	c := newClient(t, server)
	token := c.token(t)
	d := newDiffer()
	first, _ := c.watch(t, token)
	d.until(t, first, 500)
	second, _ := c.watch(t, token) // make before break
	require.NoError(t, server.WaitAccepted(t.Context(), 2))
	frames := recorded(second)
	d.until(t, first, told().Events+200) // all that the first alone was told, and some that both were
	require.NoError(t, first.Close())
	left := told().Events
	require.Eventually(t, func() bool { return told().Events > left+500 }, time.Minute, time.Millisecond)
	server.CloseSockets(1000, "")
	d.all(t, frames())
	truth := server.Truth()
	assert.Equal(t, d.counts, apiCounts(truth.APIs["notifications"]), "no loss, nothing twice")
	assert.Greater(t, truth.Frames, truth.Events+50, "both sockets had what happened in the overlap")
}

func TestMalformedNotifications(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) {
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
	told := int64(0)
	for kind, count := range truth.Violations {
		malformed, err := parseMalformation(kind)
		require.NoError(t, err)
		assert.True(t, malformed.alone(), kind)
		told += count
	}
	assert.Equal(t, bad, told)
	assert.Equal(t, 3000, good)
	assert.Len(t, truth.Violations, int(duplicateKey-notJSON))
}
