// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventhub

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// says is a platform that answers everything with the same text.
type says string

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(s))), Request: r}, nil
}

// encrypted refuses the addresses that a receiver refuses.
func encrypted(at *url.URL) error {
	if at.Hostname() == "" || at.Scheme != "https" && at.Scheme != "wss" {
		return errors.New("in the clear")
	}
	return nil
}

// Whatever the discovery or a token says, the token is sent over TLS or not at all.
func FuzzDiscovery(f *testing.F) {
	f.Add(`{"token_endpoint":"https://auth.example.com/token","area":"NA1","domain":"nice-incontact.com"}`, "opaque", jwt(`{"tenantId":"11ee","sub":"user:u-1"}`))
	f.Add(`{"area":"na1","domain":"x","websocketUrl":"ws://y"}`, jwt(`{"tenantId":"t","userId":"u"}`), "")
	f.Add(`{"area":"na1/../evil","domain":"x"}`, jwt(`{"tenantId":"&a=b","userId":"#"}`), "a.b.c")
	f.Fuzz(func(t *testing.T, answer, token, identity string) {
		h := &Hub{
			Client: &http.Client{Transport: says(answer)}, Check: encrypted,
			Discovery: &url.URL{Scheme: "https", Host: "platform.example.com"},
		}
		_, _ = h.TokenURL(t.Context())
		route, failure := h.Prepare(t.Context(), wsclient.Access{Token: token, Identity: identity}, false)
		if failure == nil {
			assert.NotEmpty(t, route.Socket.Hostname())
			assert.Equal(t, "wss", route.Socket.Scheme)
			assert.Len(t, route.Socket.Query()["tenantId"], 1)
			assert.Len(t, route.Socket.Query()["userId"], 1)
		}
	})
}
