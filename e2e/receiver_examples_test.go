// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// Every example in config/ delivers exactly what its platform sends, and no log
// line has a secret in it.
func TestReceiverExamplesAgreeWithTheirPlatform(t *testing.T) {
	t.Parallel()
	for config, api := range map[string]string{
		"genesys-notifications.yaml":    "notifications",
		"nice-realtime.yaml":            "realtime_events",
		"nice-event-hub.yaml":           "event_hub",
		"custom-amazon-connect.yaml":    "connect_chat",
		"custom-twilio-taskrouter.yaml": "task_router",
	} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			platform := lively(t, func(c *sim.Config) {
				c.ClientID, c.ClientSecret = "collector", hushed
				c.AccessKey, c.AccessKeySecret = "key", hushed
				c.Events, c.Trouble.Duplicates = 2500, 0.05
				c.Trouble.TokenFail = sim.Failure{Status: 503, Times: 1}
			})
			w := runExample(t, config, platform)
			w.agree(t, platform, api)
			w.stop(t)
			all := w.records(t)
			require.Equal(t, platform.Truth().APIs[api].Total, countsOf(all))
			require.Empty(t, named(all, "protocol.violation"))
		})
	}
}

// runExample starts a collector with a configuration of config/, and a file beside
// what it exports to.
func runExample(t *testing.T, config string, platform *sim.Server) *watcher {
	t.Helper()
	w := &watcher{file: filepath.Join(t.TempDir(), "events.jsonl")}
	addition := filepath.Join(t.TempDir(), "addition.yaml")
	require.NoError(t, os.WriteFile(addition, []byte(`
exporters:
  file: { path: `+strconv.Quote(w.file)+`, flush_interval: 100ms }
service:
  telemetry: { logs: { level: debug }, metrics: { level: none } }
  pipelines:
    logs/events: { receivers: [ccaas_ws], processors: [], exporters: [ws_metrics, file] }
    metrics/windows: { receivers: [ws_metrics], exporters: [debug] }
`), 0o600))
	token := ""
	if strings.Contains(config, "taskrouter") {
		token = issued(t, platform)
	}
	w.process = start(t, "otelcol-ccaas", []string{
		"CCAAS_ENDPOINT=" + platform.URL(), "CCAAS_CLIENT_ID=collector", "CCAAS_CLIENT_SECRET=" + hushed,
		fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)), "CCAAS_STATE=" + t.TempDir(),
		"CCAAS_ACCESS_KEY=key", "CCAAS_ACCESS_KEY_SECRET=" + hushed, "PARTICIPANT_TOKEN=" + hushed,
		"TASKROUTER_URL=" + platform.URL() + "/v1/wschannels?token=" + url.QueryEscape(token),
	}, "--config", filepath.Join("..", "config", config), "--config", addition)
	t.Cleanup(func() {
		w.stop(t)
		require.NotContains(t, w.output.String(), hushed, "no log line contains a secret")
		if token != "" {
			require.NotContains(t, w.output.String(), token, "nor a token")
		}
	})
	return w
}

// issued is a token of the platform, for those that have it in the address.
func issued(t *testing.T, platform *sim.Server) string {
	t.Helper()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	for token.AccessToken == "" {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, platform.URL()+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
		require.NoError(t, err)
		request.SetBasicAuth("collector", hushed)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		_ = json.NewDecoder(response.Body).Decode(&token) // a failure has none
		response.Body.Close()
	}
	return token.AccessToken
}
