// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
)

// Whatever a client asks, it gets an answer.
func FuzzRequests(f *testing.F) {
	f.Add("POST", "/oauth/token", "grant_type=client_credentials&scope=a", "Basic YTpi")
	f.Add("POST", "/trouble", `{"silence":true,"burst-every":"1s"}`, "")
	f.Add("PUT", "/api/v2/notifications/channels/a/subscriptions?ignoreErrors=true", `[{"id":"v2.routing.queues.a.conversations.messages"}]`, "Bearer a")
	f.Add("GET", "/api/v2/routing/queues?pageSize=-1&pageNumber=9999999999999", "", "Bearer a")
	f.Add("POST", "/participant/connection", `{"Type":["WEBSOCKET"]}`, "Bearer a")
	f.Add("POST", "/sink/alerts", `{"alert_type":"critical"}`, "")
	config := config.Default()
	config.Silent = true
	server, err := Start(config)
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, server.Close()) })
	handler := server.routes()
	f.Fuzz(func(t *testing.T, method, path, body, authorization string) {
		at, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		request := &http.Request{
			Method: method, URL: at, Header: http.Header{"Authorization": {authorization}, "Content-Type": {"application/x-www-form-urlencoded"}},
			Body: http.NoBody, Host: "127.0.0.1",
		}
		if body != "" {
			request.Body = http.MaxBytesReader(nil, readCloser{strings.NewReader(body)}, 1<<20)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request.WithContext(t.Context()))
		require.NotZero(t, answer.Code)
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
