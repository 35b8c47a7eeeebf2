// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventhub

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/session"
)

// says is a platform that answers everything with the same text.
type says string

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(s))), Request: r}, nil
}

// Whatever the discovery or a token says, we are led to a hub of the platform or
// nowhere.
func FuzzDiscovery(f *testing.F) {
	f.Add(`{"token_endpoint":"https://auth.example.com/token","area":"NA1","domain":"nice-incontact.com"}`, "opaque", jwt(`{"tenantId":"11ee","sub":"user:u-1"}`))
	f.Add(`{"area":"na1/../evil","domain":"x"}`, jwt(`{"tenantId":"&a=b","userId":"#"}`), "a.b.c")
	f.Fuzz(func(t *testing.T, answer, token, identity string) {
		h := &Hub{
			Client: &http.Client{Transport: says(answer)}, Check: func(*url.URL) error { return nil },
			Discovery: &url.URL{Scheme: "https", Host: "platform.example.com"},
		}
		_, _ = h.TokenURL(t.Context())
		route, failure := h.Prepare(t.Context(), session.Access{Token: token, Identity: identity}, false)
		if failure == nil {
			assert.Regexp(t, `^event-hub-de-[a-z0-9.-]+\.[A-Za-z0-9.-]+$`, route.Socket.Host)
			assert.Equal(t, "wss", route.Socket.Scheme)
			assert.Len(t, route.Socket.Query(), 2)
		}
	})
}
