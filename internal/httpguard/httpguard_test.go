// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package httpguard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/config/confignet"
)

func TestOnLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"localhost:1": true, "127.0.0.1:1": true, "[::1]:1": true, "0.0.0.0:1": false, "example.com:1": false, "localhost": false, "": false,
	} {
		assert.Equal(t, want, OnLoopback(confignet.AddrConfig{Endpoint: address, Transport: confignet.TransportTypeTCP}), address)
	}
	assert.True(t, OnLoopback(confignet.AddrConfig{Endpoint: "/run/socket", Transport: confignet.TransportTypeUnix}))
}

func TestHandler(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name    string
		hosts   Hosts
		method  string
		host    string
		headers map[string]string
		want    int
	}{
		{"loopback name", Hosts{Loopback: true}, http.MethodPost, "localhost:9093", nil, http.StatusOK},
		{"loopback address", Hosts{Loopback: true}, http.MethodGet, "[::1]:9093", nil, http.StatusOK},
		{"rebound name", Hosts{Loopback: true}, http.MethodGet, "attacker.example", nil, http.StatusMisdirectedRequest},
		{"allowed name", Hosts{Loopback: true, Allowed: []string{"alerts.example.com"}}, http.MethodGet, "Alerts.Example.com", nil, http.StatusOK},
		{"any name off loopback", Hosts{}, http.MethodGet, "10.0.0.1", nil, http.StatusOK},
		{"other name off loopback", Hosts{Allowed: []string{"a"}}, http.MethodGet, "b", nil, http.StatusMisdirectedRequest},
		{"page of another site", Hosts{Loopback: true}, http.MethodGet, "localhost", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"page of another origin", Hosts{Loopback: true}, http.MethodPost, "localhost", map[string]string{"Origin": "https://example.org"}, http.StatusForbidden},
		{"page of another origin that reads", Hosts{Loopback: true}, http.MethodGet, "localhost", map[string]string{"Origin": "https://example.org"}, http.StatusForbidden},
		{"page of an opaque origin that reads", Hosts{Loopback: true}, http.MethodGet, "localhost", map[string]string{"Origin": "null"}, http.StatusForbidden},
		{"own page that reads", Hosts{Loopback: true}, http.MethodGet, "localhost:9093", map[string]string{"Origin": "http://localhost:9093"}, http.StatusOK},
		{"own page", Hosts{Loopback: true}, http.MethodPost, "localhost", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusOK},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(one.method, "http://"+one.host+"/", http.NoBody)
			for name, value := range one.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			Handler(one.hosts, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			assert.Equal(t, one.want, w.Code)
		})
	}
}
