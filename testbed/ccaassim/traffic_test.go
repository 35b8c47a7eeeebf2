// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// wireEvent is an event as a client reads it.
type wireEvent struct {
	Type        string          `json:"type"`
	Timestamp   json.RawMessage `json:"timestamp"`
	ChannelID   string          `json:"channelId"`
	UserID      string          `json:"userId"`
	ID          string          `json:"id"`
	TenantID    string          `json:"tenantId"`
	Region      string          `json:"region"`
	ChannelType string          `json:"channelType"`
	PayloadSize int64           `json:"payloadSize"`
	Code        int             `json:"code"`
	Reason      string          `json:"reason"`
}

func (e *wireEvent) series() traffic.Series {
	return traffic.Series{TenantID: e.TenantID, Region: e.Region, ChannelType: e.ChannelType}
}

// parseFrame reads a frame of any form.
func parseFrame(t *testing.T, frame []byte) []wireEvent {
	t.Helper()
	var events []wireEvent
	if bytes.HasPrefix(frame, []byte("[")) {
		require.NoError(t, json.Unmarshal(frame, &events))
		return events
	}
	for line := range bytes.Lines(frame) {
		var e wireEvent
		require.NoError(t, json.Unmarshal(line, &e), string(line))
		events = append(events, e)
	}
	return events
}

// countsOfEvents counts events as a client would, slowly and apart from the simulator's
// own counting.
func countsOfEvents(events []wireEvent) map[traffic.Series]truth.Counts {
	counts := map[traffic.Series]truth.Counts{}
	for _, e := range events {
		c := counts[e.series()]
		switch e.Type {
		case wsevent.ConnectionOpen:
			c.ConnectionsOpened++
		case wsevent.ConnectionClose:
			c.ConnectionsClosed++
			if e.Code != 1000 && e.Code != 1001 {
				c.ConnectionsDropped++
			}
		case wsevent.MessageSend:
			c.MessagesSent++
		case wsevent.MessageReceive:
			c.MessagesReceived++
		}
		c.PayloadBytes += e.PayloadSize
		counts[e.series()] = c
	}
	return counts
}

// countsOf are the counts of the truth, without series that only have sessions.
func countsOf(of truth.Truth) map[traffic.Series]truth.Counts {
	counts := map[traffic.Series]truth.Counts{}
	for _, s := range of.Series {
		if s.Counts != (truth.Counts{}) {
			counts[s.Series] = s.Counts
		}
	}
	return counts
}

// receive reads events until there are enough.
func receive(t *testing.T, conn *websocket.Conn, enough int) []wireEvent {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	var events []wireEvent
	for len(events) < enough {
		_, frame, err := conn.ReadMessage()
		require.NoError(t, err, "after %d events", len(events))
		events = append(events, parseFrame(t, frame)...)
	}
	return events
}

func TestTruthEqualsWhatTheClientReceived(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"real time":  func(c *config.Config) { c.Rate = 5000 },
		"full speed": func(c *config.Config) { c.FullSpeed = true },
		"array":      func(c *config.Config) { c.Rate, c.Frame, c.FrameEvents = 0, traffic.FrameArray, 100 },
		"lines":      func(c *config.Config) { c.Rate, c.Frame, c.FrameEvents = 0, traffic.FrameLines, 7 },
		"mixed":      func(c *config.Config) { c.Rate, c.Frame, c.FrameEvents = 0, traffic.FrameMixed, 50 },
		"tls":        func(c *config.Config) { c.Rate, c.TLS = 0, true },
		"announced":  func(c *config.Config) { c.Rate, c.Announce = 0, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const count = 2000
			server := start(t, func(c *config.Config) {
				c.Events, c.DropRate = count, 20
				change(c)
			})
			conn := newClient(t, server).dial(t)
			events := receive(t, conn, count)
			<-server.Done()

			truth := server.Truth()
			assert.True(t, truth.Done)
			if name == "array" {
				assert.Equal(t, int64(count/100), truth.Frames, "frames are full at full speed")
			}
			assert.Equal(t, int64(count), truth.Events)
			assert.Equal(t, countsOfEvents(events), countsOf(truth))
			assert.Positive(t, truth.Total.ConnectionsDropped)
			ids := map[string]bool{}
			for _, e := range events {
				ids[e.ID] = true
			}
			assert.Len(t, ids, count, "ids are unique")
		})
	}
}

func TestSendPushesFramesAsTheyAre(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	require.Error(t, server.Send([]byte("{}")), "nobody is there")
	conn := newClient(t, server).dial(t)
	require.NoError(t, server.WaitConnected(t.Context()))

	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 200_000} {
		text := strings.Repeat("x", size)
		require.NoError(t, server.Send([]byte(text)))
		kind, frame, err := conn.ReadMessage()
		require.NoError(t, err)
		assert.Equal(t, websocket.TextMessage, kind)
		assert.Equal(t, text, string(frame))
	}
	require.NoError(t, server.SendBinary([]byte{0, 1, 2}))
	kind, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, websocket.BinaryMessage, kind)
	assert.Equal(t, []byte{0, 1, 2}, frame)
	assert.Empty(t, slices.Collect(maps.Keys(countsOf(server.Truth()))), "pushed frames are no events")
}

func TestFullSpeedLastsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.FullSpeed, c.Duration, c.Rate = true, 100*time.Millisecond, 0.001 })
	began := time.Now()
	conn := newClient(t, server).dial(t)
	events := receive(t, conn, 100)
	for done := false; !done; {
		select {
		case <-server.Done():
			done = true
		default:
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if int64(len(events)) < server.Truth().Events {
				events = append(events, receive(t, conn, 1)...)
			}
		}
	}
	assert.GreaterOrEqual(t, time.Since(began), 90*time.Millisecond)
	last := int64(0)
	for _, e := range events {
		at, err := strconv.ParseInt(string(e.Timestamp), 10, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, at, last, "the clock does not run back")
		last = at
	}
	assert.InDelta(t, time.Now().UnixMilli(), last, 20_000)
}
