// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSubprotocol_FirstThatThePlatformSupports(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		preflight     []string // nil: no pre-flight request
		ours, accepts []string
		requested     []string // of the upgrade
		says          string
	}{
		"own first":                   {preflight: []string{"v3", "v2"}, ours: []string{"v2", "v3"}, accepts: []string{"v3", "v2"}, requested: []string{"v2"}},
		"the next where own is not":   {preflight: []string{"v1", "v3"}, ours: []string{"v2", "v3", "v1"}, accepts: []string{"v3", "v1"}, requested: []string{"v3"}},
		"none in common":              {preflight: []string{"v8", "v9"}, ours: []string{"v2", "v3"}, says: `supports "v8", "v9", the receiver "v2", "v3"`},
		"none requested":              {preflight: []string{"v8"}, ours: nil, requested: nil},
		"no pre-flight":               {ours: []string{"v2", "v3"}, accepts: []string{"v3"}, requested: []string{"v2", "v3"}},
		"no pre-flight, none chosen":  {ours: []string{"v2", "v3"}, accepts: []string{"v9"}, says: `"v2", "v3" was requested, the platform answered with no subprotocol`, requested: []string{"v2", "v3"}},
		"pre-flight that is not kept": {preflight: []string{"v2"}, ours: []string{"v2", "v3"}, accepts: []string{"v3"}, says: `"v2" was requested, the platform answered with no subprotocol`, requested: []string{"v2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan []string, 100)
			f := &fake{}
			f.preflight = func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(test.preflight) }
			f.upgrade = func(w http.ResponseWriter, r *http.Request) {
				requests <- websocket.Subprotocols(r)
				upgrader := websocket.Upgrader{Subprotocols: test.accepts}
				if conn, err := upgrader.Upgrade(w, r, nil); err == nil {
					drain(conn)
					_ = conn.Close()
				}
			}
			to := &witness{}
			play(t, f, to, time.Minute, func(s *Settings) {
				s.Tokens, s.Subprotocols = nil, test.ours
				endpoint := &StaticEndpoint{
					Client:       &http.Client{Transport: &http.Transport{DialContext: f.dial, DisableKeepAlives: true}},
					Socket:       &url.URL{Scheme: "ws", Host: "platform", Path: "/events"},
					Subprotocols: test.ours,
				}
				if test.preflight != nil {
					endpoint.Preflight = &url.URL{Scheme: "http", Host: "platform", Path: "/version"}
				}
				s.Prepare = endpoint.Prepare
			})
			if test.says == "" {
				require.Empty(t, to.failures)
				assert.Len(t, to.connected, 1)
			} else {
				require.NotEmpty(t, to.failures)
				assert.Equal(t, Subprotocol, to.failures[0].Cause)
				assert.Contains(t, to.failures[0].Error(), test.says)
			}
			if test.says == "" || test.requested != nil {
				assert.True(t, slices.Equal(test.requested, <-requests))
			}
		})
	}
}
