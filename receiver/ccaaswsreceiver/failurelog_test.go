// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

func TestFailureLog(t *testing.T) {
	t.Parallel()
	l := &failureLog{}
	for _, step := range []struct {
		connection int
		cause      wsclient.Cause // empty: it connects
		log        bool
		failing    int
	}{
		{1, wsclient.Unreachable, true, 1},
		{2, wsclient.Unreachable, false, 2},
		{3, wsclient.Unreachable, false, 3},
		{1, wsclient.Unreachable, true, 3},
		{2, wsclient.Unauthorized, true, 1}, // another cause
		{3, wsclient.Unauthorized, false, 2},
		{1, "", false, 0},
		{2, wsclient.Unreachable, true, 1}, // nobody else fails for it now
		{3, wsclient.Unauthorized, true, 1},
		{2, "", false, 0},
		{3, "", false, 0},
	} {
		if step.cause == "" {
			l.connected(step.connection)
			continue
		}
		log, failing := l.failed(step.connection, step.cause)
		assert.Equal(t, step.log, log, step)
		assert.Equal(t, step.failing, failing, step)
	}
	assert.Empty(t, l.failing, "nothing is kept of connections that are up")
}

func TestReceiver_UnreachablePlatformIsLoggedOnce(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	config := configFor(address)
	config.Connections = 19
	b := run(t, config)
	logging := map[any]int{}
	require.Eventually(t, func() bool {
		for _, entry := range b.logs.FilterMessageSnippet("Cannot connect").All() {
			fields := entry.ContextMap()
			logging[fields["connection"]]++
			if fields["failing_connections"] == int64(config.Connections) {
				return true
			}
		}
		return false
	}, patience, 10*time.Millisecond, "one line has the number of all")
	assert.Len(t, logging, 1, "of the connections that fail for one cause, one logs")
}

func TestReceiver_RefusedUpgradeOfCustomNamesItsSettings(t *testing.T) {
	t.Parallel()
	for status, path := range map[int]string{http.StatusBadRequest: "", http.StatusNotFound: "/", http.StatusUpgradeRequired: "/events"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		config := createDefaultConfig().(*Config)
		config.Platform, config.Endpoint, config.Preflight.Enabled = "custom", server.URL+path, false
		want := "platform custom needs the path of the platform's events in endpoint (endpoint has no path, so it is /api/v2/analytics/events/realtime)" +
			" and its subprotocol in subprotocol (no subprotocol is requested): check both"
		if path == "/events" {
			config.Subprotocol = "gateway.v1"
			want = "endpoint (the path is that of endpoint) and its subprotocol in subprotocol (the subprotocol is \"gateway.v1\"): check both"
		}
		b := run(t, config)
		require.Eventually(t, func() bool { return b.logs.FilterMessageSnippet("Cannot connect").Len() > 0 }, patience, 10*time.Millisecond)
		assert.Contains(t, b.logs.FilterMessageSnippet("Cannot connect").All()[0].ContextMap()["error"], want, status)
	}
}
