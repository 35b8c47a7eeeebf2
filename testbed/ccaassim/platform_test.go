// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent, c.ClientID, c.ClientSecret, c.TokenTTL = true, "client", "secret", 90*time.Second
	})
	c := newClient(t, server)

	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"client"}, "client_secret": {"secret"}, "scope": {"a:b c:d"}}
	status, _, body := c.do(t, http.MethodPost, realtime.TokenPath, "", form.Encode())
	assert.Equal(t, http.StatusOK, status)
	var token map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &token))
	assert.NotEmpty(t, token["access_token"])
	assert.Equal(t, "bearer", token["token_type"])
	assert.InDelta(t, 90, token["expires_in"], 0)
	assert.Equal(t, "a:b c:d", token["scope"])

	for name, bad := range map[string]struct {
		key, value string
		status     int
		code       string
	}{
		"wrong secret": {"client_secret", "guess", http.StatusUnauthorized, "invalid_client"},
		"wrong client": {"client_id", "other", http.StatusUnauthorized, "invalid_client"},
		"no client":    {"client_id", "", http.StatusUnauthorized, "invalid_client"},
		"wrong grant":  {"grant_type", "password", http.StatusBadRequest, "unsupported_grant_type"},
	} {
		values, _ := url.ParseQuery(form.Encode())
		values.Set(bad.key, bad.value)
		status, _, body := c.do(t, http.MethodPost, realtime.TokenPath, "", values.Encode())
		assert.Equal(t, bad.status, status, name)
		assert.Contains(t, body, `"error":"`+bad.code+`"`, name)
	}
	truth := server.Truth()
	assert.Equal(t, int64(5), truth.Requests.Tokens)
	assert.Equal(t, int64(1), truth.Requests.TokensIssued)
}

func TestTokensByBasicAuthenticationWithGrantedScopes(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent, c.ClientID, c.ClientSecret, c.GrantedScopes = true, "client", "secret", []string{"wide:open", "a:b"}
	})
	c := newClient(t, server)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+realtime.TokenPath, strings.NewReader("grant_type=client_credentials&scope=a:b"))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("client:secret")))
	response, err := c.http.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var token map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&token))
	assert.Equal(t, "wide:open a:b", token["scope"])
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"object": {func(*config.Config) {}, `{"supportedProtocols":["v2.realtime-events","nice.digital.v1"]}`},
		"array":  {func(c *config.Config) { c.PreflightArray = true }, `["v2.realtime-events","nice.digital.v1"]`},
		"other":  {func(c *config.Config) { c.SupportedProtocols = []string{"v1.old"} }, `{"supportedProtocols":["v1.old"]}`},
		"none":   {func(c *config.Config) { c.SupportedProtocols = nil }, `{"supportedProtocols":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, func(c *config.Config) {
				c.Silent = true
				test.change(c)
			})
			c := newClient(t, server)
			status, _, body := c.do(t, http.MethodGet, realtime.PreflightPath, c.token(t), "")
			assert.Equal(t, http.StatusOK, status)
			assert.JSONEq(t, test.want, body)

			status, _, _ = c.do(t, http.MethodGet, realtime.PreflightPath, "made-up", "")
			assert.Equal(t, http.StatusUnauthorized, status)
		})
	}
}

func TestUpgradeAnswersWithTheSubprotocolAskedFor(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	for _, protocol := range []string{config.SubprotocolGenesys, config.SubprotocolNICE} {
		conn, answer, err := c.tryDial(t.Context(), token, protocol)
		require.NoError(t, err)
		assert.Equal(t, protocol, answer.subprotocol)
		require.NoError(t, conn.Close())
	}
	for name, bad := range map[string]struct {
		token, protocol string
		status          int
	}{
		"no token":      {"", config.SubprotocolGenesys, http.StatusUnauthorized},
		"wrong token":   {"made-up", config.SubprotocolGenesys, http.StatusUnauthorized},
		"not supported": {token, "v9.unsubscribed-of", http.StatusBadRequest},
	} {
		_, answer, err := c.tryDial(t.Context(), bad.token, bad.protocol)
		require.Error(t, err, name)
		assert.Equal(t, bad.status, answer.status, name)
	}
	assert.Equal(t, int64(5), server.Truth().Requests.Upgrades)
}

func TestUpgradeAnswersWithAnotherSubprotocolOrNone(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	for setting, want := range map[string]string{"v0.surprise": "v0.surprise", fault.AnswerNone: ""} {
		require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.AnswerSubprotocol = setting }))
		conn, answer, err := c.tryDial(t.Context(), token, config.SubprotocolGenesys)
		require.NoError(t, err)
		assert.Equal(t, want, answer.subprotocol)
		require.NoError(t, conn.Close())
	}
}

func TestFailuresHappenAsOftenAsAsked(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	token := c.token(t)
	require.NoError(t, server.Trouble(func(t *fault.Trouble) {
		t.TokenFail = fault.Failure{Status: 429, Times: 2, RetryAfter: 1500 * time.Millisecond}
		t.PreflightFail = fault.Failure{Status: 403}
		t.UpgradeFail = fault.Failure{Status: 503, Times: 1}
	}))

	ask := func() (int, http.Header) {
		status, header, _ := c.do(t, http.MethodPost, realtime.TokenPath, "", "grant_type=client_credentials&client_id=a")
		return status, header
	}
	for range 2 {
		status, header := ask()
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Equal(t, "2", header.Get("Retry-After"))
	}
	status, _ := ask()
	assert.Equal(t, http.StatusOK, status)

	for range 3 {
		status, header, _ := c.do(t, http.MethodGet, realtime.PreflightPath, token, "")
		assert.Equal(t, http.StatusForbidden, status)
		assert.Empty(t, header.Get("Retry-After"))
	}
	_, answer, err := c.tryDial(t.Context(), token, config.SubprotocolGenesys)
	require.Error(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, answer.status)
	conn, _, err := c.tryDial(t.Context(), token, config.SubprotocolGenesys)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestRetryAfterAsADate(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent = true
		c.Trouble.TokenFail, c.Trouble.RetryAfterDate = fault.Failure{Status: 503, RetryAfter: time.Minute}, true
	})
	_, header, _ := newClient(t, server).do(t, http.MethodPost, realtime.TokenPath, "", "")
	date, err := http.ParseTime(header.Get("Retry-After"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Minute), date, 10*time.Second)
}

func TestTLSWithItsOwnCertificate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.pem")
	server := start(t, func(c *config.Config) { c.Silent, c.TLS, c.TLSCAFile = true, true, file })
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, server.Certificate(), written)
	assert.True(t, strings.HasPrefix(server.URL(), "https://127.0.0.1:"))

	conn := newClient(t, server).dial(t)
	require.NoError(t, server.WaitConnected(t.Context()))
	require.NoError(t, server.Send([]byte("hello")))
	_, frame, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, "hello", string(frame))

	distrustful := &client{server: server}
	_, _, err = distrustful.tryDial(t.Context(), "", config.SubprotocolGenesys)
	assert.ErrorContains(t, err, "certificate")
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*config.Config){
		`--listen "0.0.0.0:0" is not loopback`:  func(c *config.Config) { c.Listen = "0.0.0.0:0" },
		`--listen ":8080" is not loopback`:      func(c *config.Config) { c.Listen = ":8080" },
		`--listen "nowhere"`:                    func(c *config.Config) { c.Listen = "nowhere" },
		`--advertise "nowhere": address`:        func(c *config.Config) { c.Advertise = "nowhere" },
		`--rate -1: want`:                       func(c *config.Config) { c.Rate = -1 },
		`--sessions 0: want 1 to`:               func(c *config.Config) { c.Sessions = 0 },
		`--tenants []: want names`:              func(c *config.Config) { c.Tenants = nil },
		`--regions [a ]: want names`:            func(c *config.Config) { c.Regions = []string{"a", ""} },
		`channel-types 1200000: want 1000000`:   func(c *config.Config) { c.TenantCount = 200_000 },
		`--tls-ca-file x: want --tls`:           func(c *config.Config) { c.TLSCAFile = "x" },
		`--frame xml: want one of object array`: func(c *config.Config) { c.Frame = "xml" },
		`--frame-events 10: want 1 with`:        func(c *config.Config) { c.FrameEvents = 10 },
		`--timestamp h: want one of s ms`:       func(c *config.Config) { c.Timestamp = "h" },
		`--lossy true: want a --rate`:           func(c *config.Config) { c.Lossy, c.FullSpeed = true, true },
		`--malformed 1.5: want a share`:         func(c *config.Config) { c.Trouble.Malformed = 1.5 },
		`--malformed-kinds sour: want unknown`:  func(c *config.Config) { c.Trouble.MalformedKinds = []string{"sour"} },
		`--burst-drop-rate 130: want 0 to 100`:  func(c *config.Config) { c.Trouble.BurstDropRate = 130 },
		`--campaign-factor 0.5: want 1 to 100`:  func(c *config.Config) { c.Trouble.CampaignFactor = 0.5 },
		`--campaign-duration 2m0s: want less`:   func(c *config.Config) { c.Trouble.CampaignEvery = time.Minute },
		`--delivery all: want one of turn`:      func(c *config.Config) { c.Delivery = "all" },
		`--broadcast true: want not`:            func(c *config.Config) { c.Broadcast, c.Delivery = true, config.DeliverClient },
		`--queues 0: want 1 to`:                 func(c *config.Config) { c.Queues = 0 },
		`--agents 0: want 1 to`:                 func(c *config.Config) { c.Agents = 0 },
		`--snapshot-messages 0: want 1 to`:      func(c *config.Config) { c.SnapshotMessages = 0 },
		`--channel-heartbeat -1s: want 0`:       func(c *config.Config) { c.ChannelHeartbeat = -time.Second },
		`--channel-ttl 0s: want more`:           func(c *config.Config) { c.Trouble.ChannelTTL = 0 },
		`--topic-reject 1.5: want a share`:      func(c *config.Config) { c.Trouble.TopicReject.Share = 1.5 },
		`--topic-reject a,: want a share`:       func(c *config.Config) { c.Trouble.TopicReject.Texts = []string{"a", ""} },
		`--rate-limit -1: want 0`:               func(c *config.Config) { c.Trouble.RateLimit = -1 },
		`--queues-fail 200: want an HTTP`:       func(c *config.Config) { c.Trouble.QueuesFail.Status = 200 },
		`--socket-closing-grace 0s: want more`:  func(c *config.Config) { c.Trouble.SocketClosingGrace = 0 },
		`--sink-hang -1s: want 0`:               func(c *config.Config) { c.Trouble.SinkHang = -time.Second },
		`--token-fail 999: want an HTTP status`: func(c *config.Config) { c.Trouble.TokenFail.Status = 999 },
		`--close-code 7: want 1000`:             func(c *config.Config) { c.Trouble.CloseCode = 7 },
		`--record: open /no/such`:               func(c *config.Config) { c.Record = "/no/such/dir/file" },
	} {
		config := config.Default()
		change(&config)
		_, err := Start(config)
		assert.ErrorContains(t, err, want)
	}
}

func TestATenantCountMakesNames(t *testing.T) {
	t.Parallel()
	config := config.Default()
	config.TenantCount = 1000
	made := config.Traffic(time.Now())
	assert.Len(t, made.Series, 1000*2*3)
	assert.Equal(t, traffic.Series{TenantID: "tenant_0001", Region: "us-east-1", ChannelType: "webmessaging"}, made.Series[0])
}
