// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventhub

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/session"
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

func TestWhereTheHubIs(t *testing.T) {
	t.Parallel()
	const configuration = "/.well-known/cxone-configuration?tenantId=11ee"
	h := hubAt(t, map[string]string{
		"/.well-known/openid-configuration": `{"token_endpoint":"https://auth.example.com/token"}`,
		configuration:                       `{"area":"NA1","domain":"nice-incontact.com"}`,
	})
	at, failure := h.TokenURL(t.Context())
	require.Nil(t, failure)
	assert.Equal(t, "https://auth.example.com/token", at.String())

	for _, access := range []session.Access{
		{Token: "opaque", Identity: jwt(`{"tenantId":"11ee","sub":"user:u-1"}`)},
		{Token: jwt(`{"tenantId":"11ee","sub":"user:other","userId":"u-1"}`)},
	} {
		route, failure := h.Prepare(t.Context(), access, false)
		require.Nil(t, failure)
		assert.Equal(t, "wss://event-hub-de-na1.nice-incontact.com/?tenantId=11ee&userId=u-1", route.Socket.String())
	}
	h.Tenant, h.User, h.Socket = "t", "u", &url.URL{Scheme: "ws", Host: "127.0.0.1:1", Path: "/"}
	route, failure := h.Prepare(t.Context(), session.Access{Token: "opaque"}, false)
	require.Nil(t, failure)
	assert.Equal(t, "ws://127.0.0.1:1/?tenantId=t&userId=u", route.Socket.String())
}

func TestWhatIsMissingIsTold(t *testing.T) {
	t.Parallel()
	h := hubAt(t, map[string]string{
		"/.well-known/openid-configuration":           `{}`,
		"/.well-known/cxone-configuration?tenantId=t": `{"area":"na1/../evil","domain":"x"}`,
	})
	_, failure := h.TokenURL(t.Context())
	require.ErrorContains(t, failure, "no token_endpoint in the answer")
	_, failure = h.Prepare(t.Context(), session.Access{Token: "a.b.c"}, false)
	require.ErrorContains(t, failure, "event_hub.tenant_id")
	h.Tenant = "t"
	_, failure = h.Prepare(t.Context(), session.Access{}, false)
	require.ErrorContains(t, failure, "event_hub.user_id")
	h.User = "u"
	_, failure = h.Prepare(t.Context(), session.Access{}, false)
	require.ErrorContains(t, failure, "no area and domain in the answer")
}
