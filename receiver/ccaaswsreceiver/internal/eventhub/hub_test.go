// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventhub

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

func hubAt(t *testing.T, answers map[string]string) *Hub {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.RequestURI()]
		if !known {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	return &Hub{Client: server.Client(), Discovery: at, Check: func(*url.URL) error { return nil }}
}

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
}

func TestHub_Address(t *testing.T) {
	t.Parallel()
	const configuration = "/.well-known/cxone-configuration?tenantId=11ee"
	h := hubAt(t, nil)
	h.Client = &http.Client{Transport: transport(func(r *http.Request) string {
		return map[string]string{
			"/.well-known/openid-configuration": `{"token_endpoint":"https://auth.example.com/token"}`,
			configuration:                       `{"area":"NA1","domain":"nice-incontact.com"}`,
		}[r.URL.RequestURI()]
	})}
	at, failure := h.TokenURL(t.Context())
	require.Nil(t, failure)
	assert.Equal(t, "https://auth.example.com/token", at.String())

	h.Client.Transport = transport(func(r *http.Request) string {
		return map[string]string{
			"/.well-known/openid-configuration": `{"token_endpoint":"https://auth-2.example.com/token"}`,
			configuration:                       `{"area":"NA1","domain":"nice-incontact.com"}`,
		}[r.URL.RequestURI()]
	})
	at, failure = h.TokenURL(t.Context())
	require.Nil(t, failure)
	assert.Equal(t, "https://auth-2.example.com/token", at.String(), "for each token anew")

	for _, access := range []wsclient.Access{
		{Token: "opaque", Identity: jwt(`{"tenantId":"11ee","sub":"user:u-1"}`)},
		{Token: jwt(`{"tenantId":"11ee","sub":"user:other","userId":"u-1"}`)},
	} {
		route, failure := h.Prepare(t.Context(), access, false)
		require.Nil(t, failure)
		assert.Equal(t, "wss://event-hub-de-na1.nice-incontact.com/?tenantId=11ee&userId=u-1", route.Socket.String())
	}
	h.Tenant, h.User, h.Socket = "t", "u", &url.URL{Scheme: "ws", Host: "127.0.0.1:1", Path: "/"}
	route, failure := h.Prepare(t.Context(), wsclient.Access{Token: "opaque"}, false)
	require.Nil(t, failure)
	assert.Equal(t, "ws://127.0.0.1:1/?tenantId=t&userId=u", route.Socket.String())
}

// A tenant's API names the address of its hub; where it does not, or names one that
// may not have the token, the derived or configured one is used.
func TestHub_NamedAddress(t *testing.T) {
	t.Parallel()
	const path, configuration = "https://api-de-na1.nice-incontact.com/dfo/3.0/event-hub-url", `{"area":"NA1","domain":"nice-incontact.com"}`
	for answer, want := range map[string]string{
		`{"websocketUrl":"wss://hub-7.nice-incontact.com/v2?x=1"}`: "wss://hub-7.nice-incontact.com/v2?tenantId=t&userId=u&x=1",
		`{"websocketUrl":"wss://Hub-7.NICE-incontact.com"}`:        "wss://Hub-7.NICE-incontact.com/?tenantId=t&userId=u",
		`{"websocketUrl":"wss://x.execute-api.example.com/prod"}`:  "wss://x.execute-api.example.com/prod?tenantId=t&userId=u",
		`{"websocketUrl":"wss://"}`:                                "wss://event-hub-de-na1.nice-incontact.com/?tenantId=t&userId=u",
		`{"websocketUrl":"ws://hub-7.nice-incontact.com/"}`:        "wss://event-hub-de-na1.nice-incontact.com/?tenantId=t&userId=u",
		`{"websocketUrl":"https://hub-7.nice-incontact.com/"}`:     "wss://event-hub-de-na1.nice-incontact.com/?tenantId=t&userId=u",
		`{"websocketUrl":7}`:                                       "wss://event-hub-de-na1.nice-incontact.com/?tenantId=t&userId=u",
		`{}`:                                                       "wss://event-hub-de-na1.nice-incontact.com/?tenantId=t&userId=u",
		``:                                                         "wss://event-hub-de-na1.nice-incontact.com/?tenantId=t&userId=u",
	} {
		var asked, token string
		refused := 0
		h := &Hub{
			Client: &http.Client{Transport: transport(func(r *http.Request) string {
				if r.URL.Host != "api-de-na1.nice-incontact.com" {
					return configuration
				}
				asked, token = r.URL.String(), r.Header.Get("Authorization")
				return answer
			})},
			Discovery: &url.URL{Scheme: "https", Host: "platform.example.com"}, Tenant: "t", User: "u",
			Refused: func(error) { refused++ },
			Check: func(at *url.URL) error {
				if at.Scheme == "ws" || at.Host == "" {
					return errors.New("in the clear")
				}
				return nil
			},
		}
		route, failure := h.Prepare(t.Context(), wsclient.Access{Token: "opaque"}, false)
		require.Nil(t, failure)
		assert.Equal(t, want, route.Socket.String(), answer)
		assert.Equal(t, []string{path, "Bearer opaque"}, []string{asked, token})
		assert.Equal(t, strings.Contains(answer, `"ws:`) || strings.HasSuffix(answer, `//"}`), refused == 1, answer)
	}
}

func TestHub_NamedAddressBehindAnEndpoint(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"websocketUrl":"ws://127.0.0.1:2/hub"}`:               "ws://127.0.0.1:2/hub?tenantId=t&userId=u",
		`{"websocketUrl":"wss://hub-7.nice-incontact.com/hub"}`: "ws://127.0.0.1:1/?tenantId=t&userId=u",
		`{"area":"na1"}`: "ws://127.0.0.1:1/?tenantId=t&userId=u",
	} {
		h := hubAt(t, nil)
		h.Client = &http.Client{Transport: transport(func(r *http.Request) string {
			assert.Equal(t, "http://127.0.0.1:1/dfo/3.0/event-hub-url", r.URL.String())
			return answer
		})}
		h.Tenant, h.User, h.Socket = "t", "u", &url.URL{Scheme: "ws", Host: "127.0.0.1:1", Path: "/"}
		route, failure := h.Prepare(t.Context(), wsclient.Access{Token: "opaque"}, false)
		require.Nil(t, failure)
		assert.Equal(t, want, route.Socket.String())
	}
}

// transport answers a request with a text; an empty one is 404.
type transport func(*http.Request) string

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	text, status := f(r), http.StatusOK
	if text == "" {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func TestDecode_MissingFields(t *testing.T) {
	t.Parallel()
	h := hubAt(t, map[string]string{
		"/.well-known/openid-configuration":           `{}`,
		"/.well-known/cxone-configuration?tenantId=t": `{"area":"na1/../evil","domain":"x"}`,
	})
	_, failure := h.TokenURL(t.Context())
	require.ErrorContains(t, failure, "no token_endpoint in the answer")
	_, failure = h.Prepare(t.Context(), wsclient.Access{Token: "a.b.c"}, false)
	require.ErrorContains(t, failure, "event_hub::tenant_id")
	h.Tenant = "t"
	_, failure = h.Prepare(t.Context(), wsclient.Access{}, false)
	require.ErrorContains(t, failure, "event_hub::user_id")
	h.User = "u"
	_, failure = h.Prepare(t.Context(), wsclient.Access{}, false)
	require.ErrorContains(t, failure, "no area and domain in the answer")
}
