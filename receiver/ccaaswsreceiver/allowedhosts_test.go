// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// What a platform calls things does not fill the log.
func TestLogs_LongNamesAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 100_000)
	notifications := func(c *Config) {
		c.Platform, c.API, c.Notifications.Topics = "genesys_cloud", "notifications", []string{"v2.routing.queues.1.conversations.messages"}
	}
	fromURL := func(c *Config) {
		c.Platform = "custom"
		c.Session.URLFrom = URLFromConfig{Method: http.MethodPost, URL: "/connection", Path: "url"}
	}
	hub := func(c *Config) {
		c.Platform, c.API = "nice_cxone", "event_hub"
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
				case r.URL.Path == "/oauth/token":
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
func TestAllowedHosts_OtherHostsGetNoCredentials(t *testing.T) {
	t.Parallel()
	const evil = "https://evil.example.net"
	for name, test := range map[string]struct {
		change func(*Config)
		answer func(path string) string
	}{
		"token_endpoint": {
			func(c *Config) {
				c.Platform, c.API = "nice_cxone", "event_hub"
				c.EventHub.DiscoveryURL, c.Endpoint = c.Endpoint, ""
			},
			func(string) string { return fmt.Sprintf(`{"token_endpoint":%q}`, evil+"/token") },
		},
		"domain": {
			func(c *Config) {
				c.Platform, c.API = "nice_cxone", "event_hub"
				c.EventHub = EventHubConfig{TenantID: "t", UserID: "u", DiscoveryURL: c.Endpoint}
				c.OAuth2.TokenURL, c.Endpoint = c.Endpoint+"/oauth/token", ""
			},
			func(string) string { return `{"area":"na1","domain":"evil.example.net"}` },
		},
		"connectUri": {
			func(c *Config) {
				c.Platform, c.API, c.Notifications.Topics = "genesys_cloud", "notifications", []string{"v2.routing.queues.1.conversations.messages"}
			},
			func(string) string { return `{"id":"1","connectUri":"wss://evil.example.net/channels/1"}` },
		},
		"url_from": {
			func(c *Config) {
				c.Platform = "custom"
				c.Session.URLFrom = URLFromConfig{Method: http.MethodPost, URL: "/connection", Path: "url"}
			},
			func(string) string { return `{"url":"wss://evil.example.net/socket"}` },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/oauth/token" {
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
			require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
			err := b.host.LastEvent().Err()
			require.ErrorContains(t, err, `evil.example.net" may not get the credentials`)
			require.ErrorContains(t, err, "127.0.0.1")
			require.NotContains(t, err.Error(), "dial", "no attempt is made")
		})
	}
}
