// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

func (c *client) get(t *testing.T, path string) map[string]any {
	t.Helper()
	status, _, body := c.do(t, http.MethodGet, path, "", "")
	require.Equal(t, http.StatusOK, status, body)
	return decode[map[string]any](t, body)
}

// cxoneToken gets a token as CXone has it.
func (c *client) cxoneToken(t *testing.T, form url.Values) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.URL()+eventhub.CXoneTokenPath, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("client", "secret")
	response, err := c.http.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return response.StatusCode, answer
}

func TestDiscoveryPointsAtTheSimulator(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	openID := c.get(t, eventhub.OpenIDConfigurationPath)
	assert.Equal(t, server.URL()+"/auth/token", openID["token_endpoint"])
	cxone := c.get(t, eventhub.CXoneConfigurationPath+"?tenantId=acme_corp")
	assert.Equal(t, server.URL(), cxone["api_endpoint"])
	assert.Equal(t, "ws"+strings.TrimPrefix(server.URL(), "http"), cxone["event_hub_endpoint"])
	assert.Equal(t, "http://"+cxone["domain"].(string), server.URL())
	status, _, _ := c.do(t, http.MethodGet, eventhub.CXoneConfigurationPath, "", "")
	assert.Equal(t, http.StatusBadRequest, status)

	elsewhere := start(t, func(c *config.Config) { c.Silent, c.Advertise, c.TLS = true, "ccaassim.example:8443", true })
	openID = newClient(t, elsewhere).get(t, eventhub.OpenIDConfigurationPath)
	assert.Equal(t, "https://ccaassim.example:8443/auth/token", openID["token_endpoint"])

	anywhere := start(t, func(c *config.Config) { c.Silent, c.Listen, c.ListenAnywhere = true, "0.0.0.0:0", true })
	assert.Regexp(t, `^ws://127\.0\.0\.1:\d+$`, anywhere.host.URL("ws"))

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.ConfigurationFail = fault.Failure{Status: 503} }))
	status, _, _ = c.do(t, http.MethodGet, eventhub.OpenIDConfigurationPath, "", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, int64(4), server.Truth().Requests.Configurations)
}

func TestCXoneTokens(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent, c.ClientID, c.ClientSecret, c.AccessKey, c.AccessKeySecret = true, "client", "secret", "key", "key secret"
	})
	c := newClient(t, server)
	password := url.Values{"grant_type": {"password"}, "username": {"key"}, "password": {"key secret"}}
	for _, form := range []url.Values{password, {"grant_type": {"client_credentials"}}} {
		status, token := c.cxoneToken(t, form)
		require.Equal(t, http.StatusOK, status)
		assert.NotEmpty(t, token["access_token"])
		parts := strings.Split(token["id_token"].(string), ".")
		require.Len(t, parts, 3)
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		said := decode[map[string]any](t, string(claims))
		assert.Equal(t, "acme_corp", said["tenantId"])
		assert.Equal(t, "user:"+server.host.Directory.Agents[0], said["sub"])
	}
	status, answer := c.cxoneToken(t, url.Values{"grant_type": {"password"}, "username": {"key"}, "password": {"guess"}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "invalid_grant", answer["error"])
	status, answer = c.cxoneToken(t, url.Values{"grant_type": {"authorization_code"}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "unsupported_grant_type", answer["error"])
}

const hubQuery = "/?tenantId=acme_corp&userId=someone"

// register opens an event hub socket and registers it.
func (c *client) register(t *testing.T) *websocket.Conn {
	t.Helper()
	conn := dialURL(t, c.server.host.URL("ws")+hubQuery)
	require.Equal(t, "authorized", exchange(t, conn, `{"action":"register","payload":{"token":"`+c.token(t)+`"}}`))
	return conn
}

// exchange says something, and gives the answer.
func exchange(t *testing.T, conn *websocket.Conn, text string) string {
	t.Helper()
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(text)))
	_, answer, err := conn.ReadMessage()
	require.NoError(t, err)
	return string(answer)
}

func TestEventHubControl(t *testing.T) {
	t.Parallel()
	for name, quote := range map[string]string{"bare": "", "quoted": `"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, func(c *config.Config) { c.Silent, c.QuotedControl = true, quote != "" })
			c := newClient(t, server)
			conn := dialURL(t, server.host.URL("ws")+hubQuery)
			assert.Equal(t, quote+"pong"+quote, exchange(t, conn, `{"action":"heartbeat"}`))
			require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.NoPong = true }))
			require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"action":"heartbeat"}`)))
			register := `{"action":"register","payload":{"token":"` + c.token(t) + `"}}`
			assert.Equal(t, quote+"authorized"+quote, exchange(t, conn, register), "and no pong before it")

			require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.RateLimited = true }))
			assert.Equal(t, quote+"RATE_LIMIT_EXCEEDED"+quote, exchange(t, conn, register))
			require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.RateLimited = false }))
			assert.Equal(t, quote+"unauthorized"+quote, exchange(t, conn, `{"action":"register","payload":{"token":"made-up"}}`))
			_, _, err := conn.ReadMessage()
			assert.True(t, websocket.IsCloseError(err, websocket.ClosePolicyViolation), err)
		})
	}
	server := start(t, func(c *config.Config) { c.Silent = true })
	status, _, _ := newClient(t, server).do(t, http.MethodGet, "/", "", "")
	assert.Equal(t, http.StatusNotFound, status)
	_, response, err := websocket.DefaultDialer.DialContext(t.Context(), server.host.URL("ws")+"/?tenantId=x", nil)
	require.Error(t, err)
	assert.Equal(t, http.StatusBadRequest, response.StatusCode)
	_ = response.Body.Close()
}

type wireEnvelope struct {
	EventID     string    `json:"eventId"`
	EventObject string    `json:"eventObject"`
	EventType   string    `json:"eventType"`
	CreatedAt   time.Time `json:"createdAt"`
	Data        struct {
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
		Case struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		} `json:"case"`
		Message struct {
			ID         string `json:"id"`
			Direction  string `json:"direction"`
			AuthorUser *struct {
				ID string `json:"id"`
			} `json:"authorUser"`
			Content struct {
				Text    string `json:"text"`
				Payload struct {
					Text struct {
						Content string `json:"content"`
					} `json:"text"`
				} `json:"payload"`
			} `json:"messageContent"`
		} `json:"message"`
	} `json:"data"`
}

func TestEventHub_FramesMatchTheTruth(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		oneTenant(c)
		c.Rate, c.Events, c.DropRate = 4000, 2000, 20
	})
	c := newClient(t, server)
	unregistered := dialURL(t, server.host.URL("ws")+hubQuery)
	conn := c.register(t)
	counts, messages, closed := map[traffic.Series]truth.Counts{}, map[string]bool{}, map[string]bool{}
	ids, frames := map[string]bool{}, int64(0)
	for range 2 * 2000 {
		_, frame, err := conn.ReadMessage()
		require.NoError(t, err)
		frames++
		e := decode[wireEnvelope](t, string(frame))
		require.False(t, ids[e.EventID])
		ids[e.EventID] = true
		require.WithinDuration(t, time.Now(), e.CreatedAt, time.Minute)
		series := traffic.Series{TenantID: "acme_corp", Region: "us-east-1", ChannelType: e.Data.Channel.ID}
		count := counts[series]
		switch e.EventType {
		case "CaseCreated":
			count.ConnectionsOpened++
		case "CaseStatusChanged":
			if e.Data.Case.Status == "open" || closed[e.Data.Case.ID] {
				break
			}
			assert.Contains(t, []string{"closed", "resolved", "trashed"}, e.Data.Case.Status)
			count.ConnectionsClosed++
			closed[e.Data.Case.ID] = true
			if e.Data.Case.Status != "resolved" { // which is closed after that
				frames++
			}
		case "MessageCreated", "MessageAddedIntoCase":
			if messages[e.Data.Message.ID] {
				break
			}
			messages[e.Data.Message.ID] = true
			assert.Equal(t, e.Data.Message.Content.Text, e.Data.Message.Content.Payload.Text.Content)
			count.PayloadBytes += int64(len(e.Data.Message.Content.Text))
			assert.Equal(t, e.Data.Message.Direction == "outbound", e.Data.Message.AuthorUser != nil)
			if e.Data.Message.Direction == "outbound" {
				count.MessagesSent++
			} else {
				count.MessagesReceived++
			}
		default:
			t.Fatal(e.EventType)
		}
		counts[series] = count
		if frames == 2*2000 {
			break
		}
	}
	<-server.Done()
	truth := server.Truth()
	assert.Equal(t, counts, apiCounts(truth.APIs["event_hub"]))
	assert.Equal(t, int64(2000), truth.APIs["event_hub"].Events)
	assert.Positive(t, truth.Total.ConnectionsDropped, "which the event hub does not report")
	server.CloseSockets(1000, "")
	_, _, err := unregistered.ReadMessage()
	assert.True(t, websocket.IsCloseError(err, 1000), "nothing before it registers: %v", err)
}
