// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

type wireMessage struct {
	ID    string    `json:"messageId"`
	Time  time.Time `json:"messageTime"`
	Media []struct {
		Bytes int64 `json:"contentLengthBytes"`
	} `json:"media"`
}

type wireParticipant struct {
	ID             string    `json:"id"`
	ConnectedTime  time.Time `json:"connectedTime"`
	EndTime        time.Time `json:"endTime"`
	Purpose        string    `json:"purpose"`
	State          string    `json:"state"`
	DisconnectType string    `json:"disconnectType"`
	Type           string    `json:"type"`
	User           *struct {
		ID string `json:"id"`
	} `json:"user"`
	Messages []json.RawMessage `json:"messages"`
}

type wireNotification struct {
	TopicName string `json:"topicName"`
	Version   string `json:"version"`
	Body      struct {
		ID           string            `json:"id"`
		Message      string            `json:"message"`
		Participants []wireParticipant `json:"participants"`
	} `json:"eventBody"`
	Metadata struct {
		CorrelationID string `json:"CorrelationId"`
	} `json:"metadata"`
	Result string `json:"result"`
}

// differ counts what snapshots have news of, slowly and apart from the simulator.
type differ struct {
	began    time.Time // what connected before was open before
	opened   map[string]bool
	closed   map[string]bool
	messages map[string]bool
	counts   map[traffic.Series]truth.Counts
	frames   int
	ids      map[string]bool // correlation ids
}

func newDiffer() *differ {
	return &differ{
		began: time.Now().Truncate(time.Millisecond), opened: map[string]bool{}, closed: map[string]bool{}, messages: map[string]bool{},
		counts: map[traffic.Series]truth.Counts{}, ids: map[string]bool{},
	}
}

func (d *differ) events() (n int64) {
	for _, c := range d.counts {
		n += c.Events()
	}
	return n
}

func (d *differ) read(t *testing.T, frame []byte) wireNotification {
	t.Helper()
	n := decode[wireNotification](t, string(frame))
	if n.TopicName == "channel.metadata" || n.Result != "" || n.TopicName == notifications.SocketClosingTopic {
		return n
	}
	require.Equal(t, "2", n.Version)
	require.False(t, d.ids[n.Metadata.CorrelationID], "each frame has a CorrelationId of its own")
	d.ids[n.Metadata.CorrelationID] = true
	d.frames++
	require.Len(t, n.Body.Participants, 2)
	for _, p := range n.Body.Participants {
		d.participant(t, &p)
	}
	return n
}

func (d *differ) participant(t *testing.T, p *wireParticipant) {
	t.Helper()
	series := traffic.Series{TenantID: "acme_corp", Region: "us-east-1", ChannelType: p.Type}
	c := d.counts[series]
	if !d.opened[p.ID] && !p.ConnectedTime.Before(d.began) {
		c.ConnectionsOpened++
	}
	d.opened[p.ID] = true
	if ended := !p.EndTime.IsZero(); ended != (p.State == "disconnected") {
		t.Fatalf("end %s and state %s disagree", p.EndTime, p.State)
	} else if ended && !d.closed[p.ID] {
		d.closed[p.ID] = true
		c.ConnectionsClosed++
		if p.DisconnectType == "transport.failure" || p.DisconnectType == "error" || p.DisconnectType == "timeout" {
			c.ConnectionsDropped++
		}
	}
	for _, raw := range p.Messages {
		m := decode[wireMessage](t, string(raw))
		if d.messages[m.ID] {
			continue
		}
		d.messages[m.ID] = true
		if p.Purpose == "customer" {
			c.MessagesReceived++
		} else {
			require.NotEmpty(t, p.User.ID)
			c.MessagesSent++
		}
		c.PayloadBytes += m.Media[0].Bytes
	}
	d.counts[series] = c
}

// until reads snapshots until there are enough events.
func (d *differ) until(t *testing.T, conn *websocket.Conn, events int64) {
	t.Helper()
	for d.events() < events {
		_, frame, err := conn.ReadMessage()
		require.NoError(t, err, "after %d of %d events", d.events(), events)
		d.read(t, frame)
	}
}

// all reads what was recorded.
func (d *differ) all(t *testing.T, frames []wireFrame) {
	t.Helper()
	for _, frame := range frames {
		d.read(t, frame.text)
	}
}

type wireFrame struct {
	kind int
	text []byte
}

// recorded reads a socket to its end, at the side; the frames are available
// then.
func recorded(conn *websocket.Conn) func() []wireFrame {
	var frames []wireFrame
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			frames = append(frames, wireFrame{kind: kind, text: text})
		}
	}()
	return func() []wireFrame {
		<-done
		return frames
	}
}

func apiCounts(of truth.APITruth) map[traffic.Series]truth.Counts {
	counts := map[traffic.Series]truth.Counts{}
	for _, s := range of.Series {
		counts[s.Series] = s.Counts
	}
	return counts
}

func oneTenant(c *config.Config) {
	c.Tenants, c.Regions = []string{"acme_corp"}, []string{"us-east-1"}
}
