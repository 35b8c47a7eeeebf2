// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tokenLife is that of testdata/oidc/server.mjs.
const tokenLife = 20 * time.Second

// oidcProvider is a real OAuth 2 server, and a platform that asks it about each token.
type oidcProvider struct {
	url string
}

func startOIDC(t *testing.T) *oidcProvider {
	t.Helper()
	node, err := exec.LookPath("node")
	_, missing := os.Stat("../bin/oidc/node_modules")
	if err != nil || missing != nil {
		skip(t, "no Node, or no bin/oidc, which make e2e fetches with npm: nothing is tested with a real OAuth server")
	}
	port := freePort(t)
	startCommand(t, "oidc", exec.CommandContext(context.Background(), node, "testdata/oidc/server.mjs", mustAbs(t, "../bin/oidc"), strconv.Itoa(port), hushed))
	o := &oidcProvider{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	eventually(t, func() error {
		status, _, err := get(o.url + "/.well-known/openid-configuration")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("the OAuth server is not ready: %d", status)
		}
		return err
	})
	return o
}

// post sends a form as a client, and reads JSON.
func (o *oidcProvider) post(path, client string, form url.Values) (status int, answer map[string]any, err error) {
	request, err := http.NewRequest(http.MethodPost, o.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client, hushed)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer, err
}

// scopes are those of a token; an error if it is not valid any more.
func (o *oidcProvider) scopes(token string) ([]string, error) {
	_, answer, err := o.post("/token/introspection", "platform", url.Values{"token": {token}})
	if err != nil {
		return nil, err
	}
	if answer["active"] != true {
		return nil, errors.New("the token is not active")
	}
	text, _ := answer["scope"].(string)
	return strings.Fields(text), nil
}

// resourceServer is a platform that accepts the tokens of an OAuth server. It closes a socket when its token has expired.
type resourceServer struct {
	*httptest.Server

	issuer *oidcProvider
	mutex  sync.Mutex
	tokens []string   // of upgrades
	scopes [][]string // of each
}

func startResourceServer(t testing.TB, issuer *oidcProvider) *resourceServer {
	t.Helper()
	r := &resourceServer{issuer: issuer}
	upgrader := websocket.Upgrader{Subprotocols: []string{"v2.realtime-events"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v2/platform/version", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"supportedProtocols":["v2.realtime-events"]}`))
	})
	mux.HandleFunc("/api/v2/analytics/events/realtime", func(w http.ResponseWriter, request *http.Request) {
		token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
		scopes, err := issuer.scopes(token)
		if err != nil || !slices.Contains(scopes, "analytics:realtime:view") {
			http.Error(w, "no token of a client that may see this", http.StatusUnauthorized)
			return
		}
		conn, err := upgrader.Upgrade(w, request, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		r.mutex.Lock()
		r.tokens, r.scopes = append(r.tokens, token), append(r.scopes, scopes)
		r.mutex.Unlock()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for {
				if _, _, err := conn.NextReader(); err != nil {
					return
				}
			}
		}()
		for {
			select {
			case <-gone:
				return
			case <-time.After(100 * time.Millisecond):
			}
			if _, err := issuer.scopes(token); err != nil {
				_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4401, "token expired"))
				return
			}
			event := fmt.Sprintf(`{"type":"message.send","timestamp":%[1]d,"channelId":"c-1","channelType":"webmessaging","payloadSize":10,"id":"m-%[1]d"}`, time.Now().UnixMilli())
			if conn.WriteMessage(websocket.TextMessage, []byte(event)) != nil {
				return
			}
		}
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// upgrades waits for a number of them, and returns the tokens and their scopes.
func (r *resourceServer) upgrades(t testing.TB, n int) (tokens []string, scopes [][]string) {
	t.Helper()
	eventually(t, func() error {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		if tokens, scopes = slices.Clone(r.tokens), slices.Clone(r.scopes); len(tokens) < n {
			return fmt.Errorf("%d upgrades, want %d", len(tokens), n)
		}
		return nil
	})
	return tokens, scopes
}

const allScopes = "analytics:realtime:view digital:engagement:metrics:read webmessaging:view openid offline_access"

// Client credentials with a real OAuth 2 server, whose tokens the platform has introspected.
func TestOAuth_RealServer(t *testing.T) {
	t.Parallel()
	issuer := startOIDC(t)
	watchAs := func(t *testing.T, platform *resourceServer, client, secret, scopes string) *watcher {
		t.Helper()
		return watch(t, fmt.Sprintf("platform: genesys_cloud\nendpoint: %s\nrotation: { overlap: 1s }\noauth2: { client_id: %s, client_secret: %s, token_url: %s/token%s }",
			platform.URL, client, secret, issuer.url, scopes))
	}
	for name, test := range map[string]struct{ client, scopes, want string }{
		"five scopes":     {"five", `, scopes: "` + allScopes + `"`, allScopes},
		"two, by default": {"two", "", "analytics:realtime:view digital:engagement:metrics:read"},
		"two of five":     {"five", `, scopes: ["analytics:realtime:view", "digital:engagement:metrics:read"], strict_scopes: true`, "analytics:realtime:view digital:engagement:metrics:read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startResourceServer(t, issuer)
			w := watchAs(t, platform, test.client, hushed, test.scopes)
			_, scopes := platform.upgrades(t, 1)
			assert.ElementsMatch(t, strings.Fields(test.want), scopes[0])
			assert.NotContains(t, w.output.String(), "excess_scopes")
		})
	}
	for name, test := range map[string]struct{ client, secret, scopes, says string }{
		"wrong secret":            {"five", "another", "", "invalid_client"},
		"unknown client":          {"nobody", hushed, "", "invalid_client"},
		"a scope that it has not": {"two", hushed, `, scopes: ["webmessaging:view"]`, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startResourceServer(t, issuer)
			w := watchAs(t, platform, test.client, test.secret, test.scopes)
			eventually(t, func() error {
				if text := w.output.String(); !strings.Contains(text, test.says) {
					return fmt.Errorf("the log does not have %s", test.says)
				}
				return nil
			})
			tokens, _ := platform.upgrades(t, 0)
			assert.Empty(t, tokens)
		})
	}
	t.Run("no refresh token", func(t *testing.T) {
		t.Parallel()
		status, answer, err := issuer.post("/token", "five", url.Values{"grant_type": {"client_credentials"}, "scope": {allScopes}})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, answer)
		assert.Equal(t, allScopes, answer["scope"])
		assert.NotContains(t, answer, "refresh_token", "also with offline_access: RFC 6749, 4.4.3")
		assert.InDelta(t, tokenLife.Seconds(), answer["expires_in"], 0)
	})
	t.Run("tokens of 20 s", func(t *testing.T) {
		t.Parallel()
		platform := startResourceServer(t, issuer)
		w := watchAs(t, platform, "five", hushed, "")
		tokens, _ := platform.upgrades(t, 3)
		assert.Len(t, slices.Compact(tokens), len(tokens), "each socket has a token of its own")
		_, err := issuer.scopes(tokens[0])
		require.ErrorContains(t, err, "not active")

		connected, events := 0, 0
		for _, record := range w.records(t) {
			switch record.name {
			case "stream.connected":
				connected++
			case "message.send":
				events++
			default:
				assert.Fail(t, "the stream is interrupted", "%+v", record)
			}
		}
		assert.Equal(t, 1, connected)
		assert.Positive(t, events)
	})
}
