// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/connectchat"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/taskrouter"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// chat opens the socket of a chat and subscribes it.
func (c *client) chat(t *testing.T) *websocket.Conn {
	t.Helper()
	status, _, body := c.do(t, http.MethodPost, connectchat.ConnectionPath, "any", "")
	require.Equal(t, http.StatusOK, status, body)
	conn := dialURL(t, decode[struct{ Websocket struct{ URL string } }](t, body).Websocket.URL)
	answer := exchange(t, conn, `{"topic":"aws/subscribe","content":{"topics":["aws/chat"]}}`)
	require.JSONEq(t, `{"topic":"aws/subscribe","content":{"status":"success","topics":["aws/chat"]}}`, answer)
	return conn
}

func TestAmazonConnectControl(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	conn := c.chat(t)
	assert.JSONEq(t, `{"topic":"aws/heartbeat"}`, exchange(t, conn, `{"topic":"aws/heartbeat"}`))
	assert.JSONEq(t, `{"topic":"aws/ping","statusCode":200,"statusContent":"OK"}`, exchange(t, conn, `{"topic":"aws/ping"}`))
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.NoPong = true }))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"topic":"aws/heartbeat"}`)))
	assert.Contains(t, exchange(t, conn, `{"topic":"aws/subscribe","content":{"topics":["aws/other"]}}`), "failure", "and no heartbeat before it")

	status, _, _ := c.do(t, http.MethodPost, connectchat.ConnectionPath, "", "")
	assert.Equal(t, http.StatusForbidden, status)
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.ConnectionFail = fault.Failure{Status: 429} }))
	status, _, _ = c.do(t, http.MethodPost, connectchat.ConnectionPath, "any", "")
	assert.Equal(t, http.StatusTooManyRequests, status)
	for _, path := range []string{connectchat.SocketPath, taskrouter.SocketPath} {
		_, response, err := websocket.DefaultDialer.DialContext(t.Context(), server.host.URL("ws")+path+"?token=made-up", nil)
		require.Error(t, err)
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
		_ = response.Body.Close()
	}
}

func TestAmazonConnect_FramesMatchTheTruth(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.ChannelTypes, c.FullSpeed, c.Events, c.DropRate = []string{"webmessaging"}, true, 2000, 20
	})
	conn := newClient(t, server).chat(t)
	counts, ends := truth.Counts{}, int64(0)
	for read := 0; read < 2000 || ends < counts.ConnectionsClosed; read++ {
		_, frame, err := conn.ReadMessage()
		require.NoError(t, err)
		envelope := decode[struct{ Topic, ContentType, Content string }](t, string(frame))
		require.Equal(t, "aws/chat", envelope.Topic)
		m := decode[struct {
			AbsoluteTime                                                              time.Time
			ContentType, Content, ID, Type, ParticipantID, ParticipantRole, ContactID string
		}](t, envelope.Content)
		require.WithinDuration(t, time.Now(), m.AbsoluteTime, time.Minute)
		require.NotEmpty(t, m.ContactID)
		if strings.HasSuffix(m.ContentType, ".chat.ended") {
			ends++
			read-- // it says again what the customer's leaving says
			continue
		}
		require.NotEmpty(t, m.ParticipantID)
		switch {
		case m.Type == "EVENT" && strings.HasSuffix(m.ContentType, ".participant.joined"):
			counts.ConnectionsOpened++
		case m.Type == "EVENT" && strings.HasSuffix(m.ContentType, ".participant.left"):
			counts.ConnectionsClosed++
			if m.Content == "transport.failure" || m.Content == "timeout" || m.Content == "error" {
				counts.ConnectionsDropped++
			}
		case m.Type == "MESSAGE" && m.ParticipantRole == "AGENT":
			counts.MessagesSent++
		case m.Type == "MESSAGE" && m.ParticipantRole == "CUSTOMER":
			counts.MessagesReceived++
		default:
			t.Fatal(envelope.Content)
		}
	}
	<-server.Done()
	assert.Equal(t, counts, server.Truth().APIs["connect_chat"].Total)
}

func TestTaskRouter_FramesMatchTheTruth(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.Rate, c.Events, c.DropRate, c.BlankHeartbeat = 4000, 2000, 20, 10*time.Millisecond
	})
	conn := dialURL(t, server.host.URL("ws")+taskrouter.SocketPath+"?token="+newClient(t, server).token(t))
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"event_type":"init","payload":{"token_lifetime":3600000}}`, string(frame))
	counts, blanks := map[traffic.Series]truth.Counts{}, 0
	for n := 0; n < 2000; {
		_, frame, err := conn.ReadMessage()
		require.NoError(t, err)
		if string(frame) == " " {
			blanks++
			continue
		}
		n++
		e := decode[struct {
			EventType string `json:"event_type"`
			Payload   struct {
				TaskSID     string `json:"task_sid"`
				Channel     string `json:"task_channel_unique_name"`
				DateUpdated int64  `json:"date_updated"`
				Reason      string `json:"canceled_reason"`
				Attributes  string `json:"attributes"`
			} `json:"payload"`
		}](t, string(frame))
		require.Regexp(t, "^WT[0-9a-f]{32}$", e.Payload.TaskSID)
		require.WithinDuration(t, time.Now(), time.Unix(e.Payload.DateUpdated, 0), time.Minute)
		series := traffic.Series{TenantID: "acme_corp", Region: "us-east-1", ChannelType: e.Payload.Channel}
		count := counts[series]
		switch e.EventType {
		case "reservation.accepted":
			count.ConnectionsOpened++
		case "reservation.canceled":
			require.NotEmpty(t, e.Payload.Reason)
			count.ConnectionsClosed++
			count.ConnectionsDropped++
		case "reservation.completed":
			count.ConnectionsClosed++
		case "task.updated":
			m := decode[struct {
				Direction string `json:"direction"`
				Bytes     int64  `json:"bytes"`
			}](t, e.Payload.Attributes)
			if m.Direction == "inbound" {
				count.MessagesReceived++
			} else {
				count.MessagesSent++
			}
			count.PayloadBytes += m.Bytes
		default:
			t.Fatal(e.EventType)
		}
		counts[series] = count
	}
	<-server.Done()
	assert.Positive(t, blanks)
	truth := server.Truth()
	assert.Equal(t, counts, apiCounts(truth.APIs["task_router"]))
	assert.Equal(t, truth.Total, truth.APIs["task_router"].Total)
}

func TestAPIs_SendTheSameEventsAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.Rate, c.Events = 2000, 1000
	})
	c := newClient(t, server)
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = true })) // until all are there
	token := c.token(t)
	conns := []*websocket.Conn{c.dial(t), dialURL(t, server.host.URL("ws")+taskrouter.SocketPath+"?token="+token)}
	watched, _ := c.watch(t, token)
	conns = append(conns, watched)
	require.NoError(t, server.WaitAccepted(t.Context(), 3))
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = false }))
	for _, conn := range conns {
		go func() {
			for {
				if _, _, err := conn.NextReader(); err != nil {
					return
				}
			}
		}()
	}
	<-server.Done()
	truth := server.Truth()
	assert.Equal(t, int64(1000), truth.Events)
	assert.Equal(t, truth.Total, truth.APIs["realtime_events"].Total)
	assert.Equal(t, truth.Total, truth.APIs["task_router"].Total)
	assert.Equal(t, truth.Total.MessagesSent, truth.APIs["notifications"].Total.MessagesSent)
	assert.Len(t, truth.APIs, 3)
}

func TestDeliveryToAClientsSockets(t *testing.T) {
	t.Parallel()
	const count = 1000
	server := start(t, func(c *config.Config) { c.Rate, c.Events, c.Delivery = 2000, count, config.DeliverClient })
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = true }))
	c := newClient(t, server)
	var conns []*websocket.Conn
	for _, who := range []string{"one", "one", "two"} {
		conn, _, err := c.tryDial(t.Context(), c.tokenOf(t, who), config.SubprotocolGenesys)
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	require.NoError(t, server.WaitAccepted(t.Context(), 3))
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = false }))
	<-server.Done()
	server.CloseSockets(1000, "")
	var got [3]map[string]bool
	for n, conn := range conns {
		got[n] = map[string]bool{}
		for _, e := range untilClose(t, conn, 1000) {
			got[n][e.ID] = true
		}
		require.NoError(t, conn.Close())
	}
	assert.Equal(t, got[0], got[1], "both sockets of a client get the same")
	assert.Equal(t, count, len(got[0])+len(got[2]))
	for id := range got[2] {
		require.False(t, got[0][id], "the clients share the events")
	}
	assert.NotEmpty(t, got[2])
	assert.Equal(t, int64(count), server.Truth().Events)
}
