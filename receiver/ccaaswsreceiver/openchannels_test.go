// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// listed runs a receiver that asks a handler for the channels that are open.
func listed(t *testing.T, change func(*Config), busy func(*sim.Config), answer http.HandlerFunc) *bench {
	t.Helper()
	list := httptest.NewServer(answer)
	t.Cleanup(list.Close)
	config := configFor(platformFor(t, busy).URL())
	config.InitialState.Enabled, config.InitialState.Settle = true, 50*time.Millisecond
	config.Session.InitialState.URL = list.URL + "/channels?key=" + secret
	if change != nil {
		change(config)
	}
	return run(t, config)
}

const known = "The channels that were open before the start are known"

func (b *bench) waitLog(t *testing.T, message string) map[string]any {
	t.Helper()
	require.Eventually(t, func() bool { return b.logs.FilterMessageSnippet(message).Len() > 0 }, patience, time.Millisecond, message)
	return b.logs.FilterMessageSnippet(message).All()[0].ContextMap()
}

// What the answer lists is open, in its own series. While it lists less than it counts the
// windows are incomplete.
func TestOpenChannels_ListedAreOpen(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	b := listed(t, func(c *Config) {
		o := &c.Session.InitialState
		o.Method, o.Body, o.Path, o.Total = http.MethodPost, `{"open":true}`, "data.items", "data.count"
		o.Headers = map[string]configopaque.String{"X-Key": secret}
		o.Fields.ChannelID, o.Fields.Timestamp = "chat.id", "since"
	}, nil, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || string(body) != `{"open":true}` || r.Header.Get("X-Key") != secret || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		items := `{"chat":{"id":"a"},"channelType":"webmessaging","tenantId":"globex","region":"us-east-1","userId":"u1","since":"2026-01-02T03:04:05Z"}`
		if requests.Add(1) > 1 {
			items += `,{"chat":{"id":17},"since":"yesterday"}`
		}
		_, _ = fmt.Fprintf(w, `{"data":{"count":2,"items":[%s]}}`, items)
	})
	line := b.waitLog(t, "The platform does not list all channels")
	assert.EqualValues(t, 1, line["missing"])
	b.waitLog(t, known)
	b.downstream.wait(t, wsevent.ConnectionOpen, wsevent.ConnectionOpen, wsevent.StreamGap)
	opens := b.downstream.reconstructed(wsevent.ConnectionOpen)
	require.Len(t, opens, 2)
	assert.Equal(t, []string{"a", "17"}, []string{opens[0].text(wsevent.ChannelID), opens[1].text(wsevent.ChannelID)})
	assert.Equal(t, []string{"globex", "us-east-1", "webmessaging", "u1"}, []string{opens[0].tenant, opens[0].region, opens[0].channelType, opens[0].text(wsevent.UserID)})
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli(), opens[0].integer(t, wsevent.ChannelOpened))
	assert.Equal(t, []string{"acme_corp", "eu-west-1"}, []string{opens[1].tenant, opens[1].region}, "those of the stream")
	for _, gap := range b.downstream.records(wsevent.StreamGap) {
		assert.Equal(t, wsevent.CauseInitialState, gap.text(wsevent.StreamCause))
	}
}

// An event that was received before the answer wins over it.
func TestOpenChannels_EventsWin(t *testing.T) {
	t.Parallel()
	var b atomic.Pointer[bench]
	made := listed(t, nil, func(c *sim.Config) { c.Silent = false }, func(w http.ResponseWriter, _ *http.Request) {
		var channels []string
		for range 1000 {
			if one := b.Load(); one != nil {
				for _, open := range one.downstream.records(wsevent.ConnectionOpen) {
					channels = append(channels, fmt.Sprintf(`{"channelId":%q,"timestamp":1}`, open.text(wsevent.ChannelID)))
				}
			}
			if len(channels) > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		_, _ = fmt.Fprintf(w, `[%s]`, strings.Join(append(channels, `{"channelId":"another"}`), ","))
	})
	b.Store(made)
	made.waitLog(t, known)
	require.Eventually(t, func() bool { return len(made.downstream.reconstructed(wsevent.ConnectionOpen)) > 0 }, patience, time.Millisecond)
	assert.Equal(t, map[string]int{"another": 1}, channelsOf(made.downstream.reconstructed(wsevent.ConnectionOpen)))
	assert.Greater(t, len(made.downstream.records(wsevent.ConnectionOpen)), 1)
}

// A failure that passes is survived, and no event waits for it.
func TestOpenChannels_FailuresThatPass(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]http.HandlerFunc{
		"not JSON":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>maintenance</html>") },
		"no list":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"channels":[]}`) },
		"other fields": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[{"id":"a"},7,null]`) },
		"throttled": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"unavailable": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `[{"channelId":"b"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			b := listed(t, nil, func(c *sim.Config) { c.Silent = false }, func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == 1 {
					fail(w, r)
					return
				}
				_, _ = io.WriteString(w, `[{"channelId":"a"}]`)
			})
			b.downstream.wait(t, wsevent.MessageSend, wsevent.MessageReceive)
			b.waitLog(t, known)
			require.Eventually(t, func() bool { return len(b.downstream.reconstructed(wsevent.ConnectionOpen)) == 1 }, patience, time.Millisecond)
			assert.EqualValues(t, 2, requests.Load())
		})
	}
}

// A failure that needs a person switches the request off, with one line that says what is
// missing. Everything else goes on.
func TestOpenChannels_FailuresThatLast(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail http.HandlerFunc
		want string
	}{
		"unauthorized": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "401 Unauthorized"},
		"forbidden":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "403 Forbidden"},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(slices.Repeat([]byte(" "), 8<<20+1))
		}, "the response is larger than"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "redirects are not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := listed(t, nil, func(c *sim.Config) { c.Silent = false }, test.fail)
			line := b.waitLog(t, "The platform refuses a request")
			assert.Equal(t, "state at start", line["function"])
			assert.Contains(t, line["error"], test.want)
			assert.Contains(t, line["missing_permission"], "access to GET 127.0.0.1:")
			assert.Contains(t, line["missing_permission"], "/channels")
			b.downstream.wait(t, wsevent.MessageSend, wsevent.MessageReceive)
			assert.Equal(t, 1, b.logs.FilterMessageSnippet("The platform refuses a request").Len())
			assert.Empty(t, b.downstream.reconstructed(wsevent.ConnectionOpen))
		})
	}
}

// A custom platform without oauth2 sends no token. The address may be a path on its host.
func TestOpenChannels_CustomWithoutToken(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /channels", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `[{"channelId":"a"}]`)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		socket, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = socket.Close() }()
		for err == nil {
			_, _, err = socket.ReadMessage()
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := configFor(server.URL + "/events")
	config.Platform, config.Preflight.Enabled = "custom", false
	config.OAuth2.ClientID, config.OAuth2.ClientSecret = "", ""
	config.InitialState.Enabled, config.Session.InitialState.URL = true, "/channels"
	b := run(t, config)
	b.waitLog(t, known)
	require.Eventually(t, func() bool { return len(b.downstream.reconstructed(wsevent.ConnectionOpen)) == 1 }, patience, time.Millisecond)
}
