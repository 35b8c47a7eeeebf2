// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	status, _, body := c.do(t, http.MethodPost, TokenPath, "", "grant_type=client_credentials&client_secret=x&client_id="+id)
	require.Equal(t, http.StatusOK, status)
	return decode[struct {
		AccessToken string `json:"access_token"`
	}](t, body).AccessToken
}

func (c *client) channel(t *testing.T, token string) wireChannel {
	t.Helper()
	status, _, body := c.do(t, http.MethodPost, ChannelsPath, token, "")
	require.Equal(t, http.StatusOK, status, body)
	return decode[wireChannel](t, body)
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
	status, _, body := c.do(t, http.MethodPut, ChannelsPath+"/"+channel+"/subscriptions", token, topicsJSON(names...))
	require.Equal(t, http.StatusOK, status, body)
}

// queueTopics are the topics of all queues, as a client finds them.
func (c *client) queueTopics(t *testing.T, token string) []string {
	t.Helper()
	var names []string
	for page, pages := 1, 1; page <= pages; page++ {
		status, _, body := c.do(t, http.MethodGet, fmt.Sprintf("%s?pageSize=3&pageNumber=%d", QueuesPath, page), token, "")
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
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	return conn
}

// watch opens a channel that is subscribed to all queues.
func (c *client) watch(t *testing.T, token string) (*websocket.Conn, string) {
	t.Helper()
	channel := c.channel(t, token)
	c.subscribe(t, token, channel.ID, c.queueTopics(t, token)...)
	return dialURL(t, channel.ConnectURI), channel.ID
}

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
	began  time.Time // what connected before is known to be open
	opened map[string]bool
	closed map[string]bool
	told   map[string]bool
	counts map[Series]Counts
	frames int
	ids    map[string]bool // correlation ids
}

func newDiffer() *differ {
	return &differ{
		began: time.Now().Truncate(time.Millisecond), opened: map[string]bool{}, closed: map[string]bool{}, told: map[string]bool{},
		counts: map[Series]Counts{}, ids: map[string]bool{},
	}
}

func (d *differ) events() (n int64) {
	for _, c := range d.counts {
		n += c.events()
	}
	return n
}

func (d *differ) read(t *testing.T, frame []byte) wireNotification {
	t.Helper()
	n := decode[wireNotification](t, string(frame))
	if n.TopicName == "channel.metadata" || n.Result != "" || n.TopicName == socketClosingTopic {
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
	series := Series{TenantID: "acme_corp", Region: "us-east-1", ChannelType: p.Type}
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
		if d.told[m.ID] {
			continue
		}
		d.told[m.ID] = true
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

// toClose reads snapshots up to a close frame with a code.
func (d *differ) toClose(t *testing.T, conn *websocket.Conn, code int) {
	t.Helper()
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			require.True(t, websocket.IsCloseError(err, code), err)
			return
		}
		d.read(t, frame)
	}
}

func apiCounts(truth APITruth) map[Series]Counts {
	counts := map[Series]Counts{}
	for _, s := range truth.Series {
		counts[s.Series] = s.Counts
	}
	return counts
}

func oneTenant(c *Config) {
	c.Tenants, c.Regions = []string{"acme_corp"}, []string{"us-east-1"}
}

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
			read := make(chan struct{})
			go func() {
				defer close(read)
				d.toClose(t, conn, 1000)
			}()
			<-server.Done()
			server.CloseSockets(1000, "")
			<-read
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
		c.Rate, c.Sessions, c.Events, c.Lossy, c.SnapshotMessages = 2000, 30, 4000, true, 1000
	})
	c := newClient(t, server)
	token := c.token(t)
	d := newDiffer()
	conn, id := c.watch(t, token)
	d.until(t, conn, 300)
	server.CloseSockets(1000, "")
	d.toClose(t, conn, 1000)
	before := server.Truth().APIs["notifications"].Missed.Events
	require.Eventually(t, func() bool {
		return server.Truth().APIs["notifications"].Missed.Events > before+200
	}, 10*time.Second, time.Millisecond)

	conn = dialURL(t, server.socketURL()+channelSocket+id)
	read := make(chan struct{})
	go func() {
		defer close(read)
		d.toClose(t, conn, 1000)
	}()
	<-server.Done()
	server.CloseSockets(1000, "")
	<-read
	told := server.Truth().APIs["notifications"]
	assert.Equal(t, d.counts, apiCounts(told))
	missedThen := int64(0)
	for _, spell := range told.Missed.Spells {
		missedThen += spell.Events
	}
	assert.Less(t, told.Missed.Events, missedThen, "some of it was healed")
	assert.Positive(t, told.Missed.Events, "what ended meanwhile is not told again")
	truth := server.Truth()
	assert.Equal(t, int64(4000), truth.Events+truth.Missed.Events+truth.Unsure.Events+truth.Unheard.Events)
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
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			_, frame, err := conn.ReadMessage()
			if err != nil {
				return
			}
			n := decode[wireNotification](t, string(frame))
			frames[n.TopicName]++
			if n.TopicName == agent {
				leg := decode[map[string]any](t, string(n.Body.Participants[1].Messages[0]))
				assert.Contains(t, []any{"connected", "disconnected"}, leg["state"])
				assert.Contains(t, leg, "messages")
				assert.Equal(t, server.directory.agents[0], n.Body.Participants[1].User.ID)
			}
		}
	}()
	<-server.Done()
	server.CloseSockets(1000, "")
	<-read
	assert.Len(t, frames, 2)
	truth := server.Truth()
	assert.InDelta(t, 500, frames[topics[0]], 250)
	assert.Positive(t, frames[agent])
	assert.GreaterOrEqual(t, int64(frames[topics[0]]+frames[agent]), truth.Events, "a frame for each topic")
	assert.Equal(t, int64(2000), truth.Events+truth.Unheard.Events)
	assert.Positive(t, truth.Unheard.Events)
}

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
		done := make(chan struct{})
		for _, topic := range topics {
			go func() {
				c.do(t, http.MethodPost, ChannelsPath+"/"+channel.ID+"/subscriptions", token, topicsJSON(topic))
				done <- struct{}{}
			}()
		}
		for range topics {
			<-done
		}
		return len(server.channels.topics(server.channels.find(channel.ID))) < len(topics)
	}, 20*time.Second, time.Millisecond)
	assert.Positive(t, server.Truth().Requests.OverlappingSubscriptions)
}

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
	late := dialURL(t, server.socketURL()+channelSocket+id)
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

	second := dialURL(t, server.socketURL()+channelSocket+id)
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			assert.True(t, websocket.IsCloseError(err, 1000), "a channel has one socket: %v", err)
			break
		}
	}
	require.NoError(t, server.Trouble(func(t *Trouble) { t.SocketClosingGrace = 200 * time.Millisecond }))
	status, _, _ := c.do(t, http.MethodPost, "/trouble/socket-closing", "", "")
	require.Equal(t, http.StatusNoContent, status)
	for n := next(second); n.TopicName != socketClosingTopic; n = next(second) {
		require.Equal(t, "channel.metadata", n.TopicName)
	}
	announced := time.Now()
	for {
		if _, _, err := second.ReadMessage(); err != nil {
			assert.True(t, websocket.IsCloseError(err, 1001), err)
			break
		}
	}
	assert.Greater(t, time.Since(announced), 150*time.Millisecond, "after the grace")

	require.NoError(t, server.Trouble(func(t *Trouble) { t.SocketClosingEvery = 20 * time.Millisecond }))
	third := dialURL(t, server.socketURL()+channelSocket+id)
	for n := next(third); n.TopicName != socketClosingTopic; n = next(third) {
		require.Equal(t, "channel.metadata", n.TopicName)
	}
}

func TestAChannelsTokenExpires(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent, c.TokenTTL, c.Trouble.CloseExpired = true, time.Second, true })
	c := newClient(t, server)
	conn, id := c.watch(t, c.token(t))
	time.Sleep(500 * time.Millisecond)
	renewed := time.Now()
	c.subscribe(t, c.token(t), id) // with a new token
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.JSONEq(t, `{"result":"404","message":"token expired"}`, string(frame))
	assert.Greater(t, time.Since(renewed), 900*time.Millisecond)
}

func TestTwoChannelsOfAClientBothHearAnEventThatCountsOnce(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) {
		oneTenant(c)
		c.Rate, c.Events, c.SnapshotMessages = 3000, 3000, 1000
	})
	c := newClient(t, server)
	token := c.token(t)
	d := newDiffer()
	first, _ := c.watch(t, token)
	d.until(t, first, 500)
	second, _ := c.watch(t, token) // make before break
	require.NoError(t, server.WaitAccepted(t.Context(), 2))
	d.until(t, first, 1500)
	require.NoError(t, first.Close())
	read := make(chan struct{})
	go func() {
		defer close(read)
		d.toClose(t, second, 1000)
	}()
	<-server.Done()
	server.CloseSockets(1000, "")
	<-read
	truth := server.Truth()
	assert.Equal(t, d.counts, apiCounts(truth.APIs["notifications"]), "no loss, nothing twice")
	assert.Equal(t, int64(3000), truth.Events)
	assert.Greater(t, truth.Frames, int64(3200), "both sockets had what happened in the overlap")
}

func TestPlatformCallsFailAndAreLimited(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	channel := c.channel(t, token)
	for path, fail := range map[string]func(*Trouble){
		ChannelsPath: func(t *Trouble) { t.ChannelFail = Failure{Status: 503, Times: 1, RetryAfter: 3 * time.Second} },
		ChannelsPath + "/" + channel.ID + "/subscriptions": func(t *Trouble) { t.SubscriptionFail = Failure{Status: 429, Times: 1, RetryAfter: 3 * time.Second} },
		QueuesPath: func(t *Trouble) { t.QueuesFail = Failure{Status: 500, Times: 1, RetryAfter: 3 * time.Second} },
	} {
		require.NoError(t, server.Trouble(fail))
		status, header, _ := c.do(t, http.MethodGet, path, token, "")
		assert.GreaterOrEqual(t, status, 429, path)
		assert.Equal(t, "3", header.Get("Retry-After"))
		status, _, _ = c.do(t, http.MethodGet, path, token, "")
		assert.Equal(t, http.StatusOK, status, path)
	}
	status, _, _ := c.do(t, http.MethodGet, QueuesPath+"?pageSize=101", token, "")
	assert.Equal(t, http.StatusBadRequest, status)

	require.NoError(t, server.Trouble(func(t *Trouble) { t.RateLimit = 20 }))
	limited := c.tokenOf(t, "busy")
	for range 20 {
		status, _, _ := c.do(t, http.MethodGet, QueuesPath, limited, "")
		require.Equal(t, http.StatusOK, status)
	}
	status, header, _ := c.do(t, http.MethodGet, ChannelsPath, limited, "")
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.Regexp(t, `^(5\d|60)$`, header.Get("Retry-After"))
	status, _, _ = c.do(t, http.MethodGet, QueuesPath, c.tokenOf(t, "idle"), "")
	assert.Equal(t, http.StatusOK, status, "each token has its own limit")
	assert.Equal(t, int64(1), server.Truth().Requests.RateLimited)
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
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			kind, frame, err := conn.ReadMessage()
			if err != nil {
				return
			}
			text := string(frame)
			switch {
			case kind == websocket.BinaryMessage, !json.Valid(frame), len(frame) > 70_000:
				bad++
			case strings.Contains(text, `"extra":[[`), strings.Contains(text, `"invalid":`):
				bad++
			default:
				good++
			}
		}
	}()
	<-server.Done()
	server.CloseSockets(1000, "")
	<-read
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

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent = true })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, server.WaitConnected(ctx), context.Canceled)
}
