// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config           Config
		allowed, refused []string
	}{
		"the domain of the endpoint": {
			Config{Platform: platform.Custom, API: platform.RealtimeEvents, Endpoint: "wss://gateway.example.co.uk"},
			[]string{"wss://gateway.example.co.uk", "wss://GATEWAY.example.co.uk:444", "wss://sockets.example.co.uk", "https://example.co.uk.", "wss://a.b.example.co.uk"},
			[]string{"wss://example.com", "wss://other.co.uk", "wss://example.co.uk.evil.net", "wss://notexample.co.uk", "wss://127.0.0.1", "ws://localhost", "ws://gateway.example.co.uk"},
		},
		"a vendor's shared domain": {
			Config{Platform: platform.Custom, API: platform.RealtimeEvents, Endpoint: "wss://participant.connect.us-east-1.amazonaws.com"},
			[]string{"wss://r5x.transport.connect.us-east-1.amazonaws.com"},
			[]string{"wss://x.execute-api.us-east-1.amazonaws.com", "wss://bucket.s3.amazonaws.com", "wss://participant.connect.eu-west-2.amazonaws.com"},
		},
		"loopback": {
			Config{Platform: platform.Custom, API: platform.RealtimeEvents, Endpoint: "ws://127.0.0.1:8080"},
			[]string{"ws://127.0.0.1:9090", "ws://localhost:1", "ws://[::1]:1"},
			[]string{"wss://10.0.0.1", "wss://example.com"},
		},
		"an address and a name of a cluster are themselves alone": {
			Config{Platform: platform.Custom, API: platform.RealtimeEvents, Endpoint: "wss://gateway.telephony.svc.cluster.local"},
			[]string{"wss://gateway.telephony.svc.cluster.local"},
			[]string{"wss://other.telephony.svc.cluster.local", "wss://cluster.local"},
		},
		"an explicit list": {
			Config{
				Platform: platform.Custom, API: platform.RealtimeEvents, Endpoint: "wss://10.0.0.1",
				AllowedHosts: []string{"Sockets.example.com", "*.example.net", "10.0.0.3"},
			},
			[]string{"wss://10.0.0.1", "wss://sockets.example.com", "wss://a.example.net", "wss://a.b.example.net", "wss://10.0.0.3"},
			[]string{"wss://10.0.0.2", "wss://example.com", "wss://a.sockets.example.com", "wss://example.net"},
		},
		"genesys: the streaming host of the region": {
			Config{Platform: platform.GenesysCloud, API: platform.Notifications, Region: "eu-central-1"},
			[]string{"wss://streaming.mypurecloud.de/channels/1"},
			[]string{"wss://api.mypurecloud.de", "wss://streaming.mypurecloud.com", "wss://streaming.mypurecloud.de.evil.net", "ws://streaming.mypurecloud.de"},
		},
		"genesys: a list": {
			Config{Platform: platform.GenesysCloud, API: platform.Notifications, Region: "us-west-2", AllowedHosts: []string{"streaming2.usw2.pure.cloud"}},
			[]string{"wss://streaming2.usw2.pure.cloud"},
			[]string{"wss://streaming.euw2.pure.cloud"},
		},
		"nice: the vendor's domains": {
			Config{Platform: platform.NICECXone, API: platform.EventHub, EventHub: EventHubConfig{DiscoveryURL: platform.NICEDiscovery}},
			[]string{"https://cxone.niceincontact.com/token", "wss://event-hub-de-na1.niceincontact.com", "https://na1.nice-incontact.com"},
			[]string{"https://niceincontact.com.evil.net", "https://evil.net", "http://cxone.niceincontact.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := test.config
			config.OAuth2 = OAuth2Config{ClientID: clientID, ClientSecret: secret}
			profile, _ := platform.Lookup(config.Platform)
			at, err := config.target(&profile)
			require.NoError(t, err)
			hosts := config.allowedHosts(&profile, at)
			for _, text := range test.allowed {
				require.NoError(t, hosts.check(parsed(t, text)), text)
			}
			for _, text := range test.refused {
				require.Error(t, hosts.check(parsed(t, text)), text)
			}
		})
	}
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	at, err := url.Parse(text)
	require.NoError(t, err)
	return at
}

func TestAllowedHosts_TheErrorNamesBoth(t *testing.T) {
	t.Parallel()
	config := configFor("wss://gateway.example.com")
	config.AllowedHosts = []string{"*.example.org"}
	profile, _ := platform.Lookup(config.Platform)
	at, err := config.target(&profile)
	require.NoError(t, err)
	err = config.allowedHosts(&profile, at).check(parsed(t, "wss://evil.example.net/?token=hush"))
	require.ErrorIs(t, err, wsclient.ErrHostRefused)
	for _, says := range []string{`"evil.example.net"`, "gateway.example.com", "*.example.org", "add it to allowed_hosts"} {
		require.ErrorContains(t, err, says)
	}
	assert.NotContains(t, err.Error(), "hush")
}

func TestAllowedHosts_Validate(t *testing.T) {
	t.Parallel()
	for entry, good := range map[string]bool{
		"login.example.com": true, "*.example.com": true, "10.0.0.1": true, "::1": true, "gateway": true, "Login.Example.com": true,
		"": false, "*": false, "*.com": false, "*.co.uk": false, "https://example.com": false, "example.com/x": false, "example.com:443": false,
		"a.*.com": false, "*.10.0.0.1": false, "<your-host>": false,
	} {
		config := configFor("ws://127.0.0.1:1")
		config.AllowedHosts = []string{entry}
		if good {
			require.NoError(t, config.Validate(), entry)
			continue
		}
		require.ErrorContains(t, config.Validate(), "allowed_hosts[0]: ", entry)
	}
}

// What is dialled is spelled as what was looked at.
func TestAllowedHosts_OneSpelling(t *testing.T) {
	t.Parallel()
	config := configFor("ws://127.0.0.1:8080")
	config.AllowedHosts = []string{"*.example.com", "10.0.0.3"}
	profile, _ := platform.Lookup(config.Platform)
	target, err := config.target(&profile)
	require.NoError(t, err)
	check := config.allowedHosts(&profile, target).check
	for named, dialled := range map[string]string{
		"ws://LOCALHOST.:22281/x?y=z": "ws://localhost:22281/x?y=z",
		"ws://localhost.":             "ws://localhost",
		"ws://localho\u017ft:1":       "ws://localhost:1", // which is folded to an s
		"ws://127.0.0.1.:22281/":      "ws://127.0.0.1:22281/",
		"wss://10.0.0.3.":             "wss://10.0.0.3",
		"ws://[::1]:9":                "ws://[::1]:9",
		"wss://a.example.com.:444/":   "wss://a.example.com.:444/",
		"wss://A.example.com":         "wss://A.example.com",
	} {
		at, err := wsclient.SocketURL(named, check)
		require.NoError(t, err, named)
		assert.Equal(t, dialled, at.String())
	}
	for _, named := range []string{"ws://a.localhost:1/", "ws://localhost../", "ws://127.0.0.1../", "ws://0x7f.1:1/", "ws://2130706433:1"} {
		_, err := wsclient.SocketURL(named, check)
		require.Error(t, err, named)
	}
}

// What a platform calls things does not fill the log.
func TestAnswersThatNameSomethingLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 100_000)
	notifications := func(c *Config) {
		c.Platform, c.API, c.Notifications.Topics = platform.GenesysCloud, platform.Notifications, []string{"v2.routing.queues.1.conversations.messages"}
	}
	fromURL := func(c *Config) {
		c.Platform = platform.Custom
		c.Session.URLFrom = URLFromConfig{Method: http.MethodPost, URL: "/connection", Path: "url"}
	}
	hub := func(c *Config) {
		c.Platform, c.API = platform.NICECXone, platform.EventHub
		c.EventHub.DiscoveryURL, c.Endpoint = c.Endpoint, ""
	}
	for name, test := range map[string]struct {
		change func(*Config)
		answer string
		says   string
	}{
		"host":              {fromURL, `{"url":"ws://` + long + `.example/"}`, "a host has at most 253 characters"},
		"host of our own":   {fromURL, `{"url":"ws://` + long[:300] + `.localhost/"}`, "a host has at most 253 characters"},
		"port":              {fromURL, `{"url":"ws://127.0.0.1:` + strings.Repeat("1", 100_000) + `/"}`, "a host has at most 253 characters"},
		"scheme":            {fromURL, `{"url":"` + long + `://127.0.0.1/"}`, "must be wss"},
		"fragment":          {fromURL, `{"url":"ws://127.0.0.1:1/#` + long + `"}`, "has a fragment"},
		"connectUri":        {notifications, `{"id":"` + long + `","connectUri":"wss://` + long + `.example"}`, "a host has at most 253 characters"},
		"id of a channel":   {notifications, `{"id":"` + long + `/","connectUri":"ws://127.0.0.1:1/"}`, "subscriptions"},
		"token_endpoint":    {hub, `{"token_endpoint":"` + long + `"}`, "token_endpoint"},
		"host of tokens":    {hub, `{"token_endpoint":"https://` + long + `/"}`, "a host has at most 253 characters"},
		"no URL":            {hub, `{"token_endpoint":"https://%zz` + long + `/"}`, "token_endpoint: not an address"},
		"no HTTP":           {fromURL, "", "malformed HTTP"},
		"path of the token": {hub, `{"token_endpoint":"URL/` + long + `"}`, "token request to http://127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, long), strings.HasSuffix(r.URL.Path, "/subscriptions"):
					w.WriteHeader(http.StatusForbidden)
				case r.URL.Path == platform.TokenPath:
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{"access_token":"opaque","token_type":"bearer","expires_in":3600}`))
				case test.answer == "":
					conn, _, err := http.NewResponseController(w).Hijack()
					if err == nil {
						_, _ = conn.Write([]byte(long + "\r\n\r\n"))
						_ = conn.Close()
					}
				default:
					_, _ = w.Write([]byte(strings.Replace(test.answer, "URL", server.URL, 1)))
				}
			}))
			t.Cleanup(server.Close)
			config := configFor(server.URL)
			test.change(config)
			b := run(t, config)
			said := func() string {
				var text strings.Builder
				for _, entry := range b.logs.All() {
					fmt.Fprintln(&text, entry.Message, entry.ContextMap())
				}
				return text.String()
			}
			require.Eventually(t, func() bool { return strings.Contains(said(), test.says) }, patience, time.Millisecond, test.says)
			for line := range strings.Lines(said()) {
				require.Less(t, len(line), 2000)
			}
		})
	}
}

// The credentials of a client do not leave for a host that a document names.
func TestDocumentsThatNameOtherHosts(t *testing.T) {
	t.Parallel()
	const evil = "https://evil.example.net"
	for name, test := range map[string]struct {
		change func(*Config)
		answer func(path string) string
	}{
		"token_endpoint": {
			func(c *Config) {
				c.Platform, c.API = platform.NICECXone, platform.EventHub
				c.EventHub.DiscoveryURL, c.Endpoint = c.Endpoint, ""
			},
			func(string) string { return fmt.Sprintf(`{"token_endpoint":%q}`, evil+"/token") },
		},
		"domain": {
			func(c *Config) {
				c.Platform, c.API = platform.NICECXone, platform.EventHub
				c.EventHub = EventHubConfig{TenantID: "t", UserID: "u", DiscoveryURL: c.Endpoint}
				c.OAuth2.TokenURL, c.Endpoint = c.Endpoint+"/oauth/token", ""
			},
			func(string) string { return `{"area":"na1","domain":"evil.example.net"}` },
		},
		"connectUri": {
			func(c *Config) {
				c.Platform, c.API, c.Notifications.Topics = platform.GenesysCloud, platform.Notifications, []string{"v2.routing.queues.1.conversations.messages"}
			},
			func(string) string { return `{"id":"1","connectUri":"wss://evil.example.net/channels/1"}` },
		},
		"url_from": {
			func(c *Config) {
				c.Platform = platform.Custom
				c.Session.URLFrom = URLFromConfig{Method: http.MethodPost, URL: "/connection", Path: "url"}
			},
			func(string) string { return `{"url":"wss://evil.example.net/socket"}` },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == platform.TokenPath {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{"access_token":"opaque","token_type":"bearer","expires_in":3600}`))
					return
				}
				_, _ = w.Write([]byte(test.answer(r.URL.Path)))
			}))
			t.Cleanup(server.Close)
			config := configFor(server.URL)
			test.change(config)
			b := run(t, config)
			require.Eventually(t, func() bool { return b.host.last() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
			err := b.host.statuses[0].Err()
			require.ErrorContains(t, err, `evil.example.net" may not get the credentials`)
			require.ErrorContains(t, err, "127.0.0.1")
			require.NotContains(t, err.Error(), "dial", "no attempt is made")
		})
	}
}
