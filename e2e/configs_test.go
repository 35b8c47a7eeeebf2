// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// shipped starts a configuration of config/ as it is, but for ports that a test
// cannot have for itself and windows that a test can wait for.
func shipped(t testing.TB, name string, environment []string, set ...string) *process {
	t.Helper()
	arguments := []string{
		"--config", "../config/" + name,
		"--set", fmt.Sprintf("extensions::health_check::http::endpoint=127.0.0.1:%d", freePort(t)),
	}
	for _, setting := range set {
		arguments = append(arguments, "--set", setting)
	}
	return start(t, "otelcol-ccaas", append([]string{
		"CCAAS_CLIENT_ID=collector", "CCAAS_CLIENT_SECRET=secret", "CCAAS_STATE=" + t.TempDir(),
	}, environment...), arguments...)
}

// Settings that make a shipped configuration fit a test.
var (
	noOwnMetrics = "service::telemetry::metrics::level=none"
	shortWindows = []string{
		"processors::ws_window::size=2s", "processors::ws_window::overlap=0s",
		"processors::ws_window::allowed_lateness=500ms", "processors::ws_window::idle_timeout=500ms",
	}
)

func testTraffic(t testing.TB) *sim.Server {
	return startPlatform(t, func(c *sim.Config) { c.Rate, c.Events, c.Announce, c.Sessions = 400, 2_000, true, 100 })
}

func socketURL(platform *sim.Server) string {
	return "CCAAS_ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1)
}

// Every backend that is available here has what the platform sent.
func TestConfigurationsIntoPrometheus(t *testing.T) {
	t.Parallel()
	for config, address := range map[string]func(server string) []string{
		"prometheus-otlp.yaml":         func(server string) []string { return []string{"PROMETHEUS_URL=" + server} },
		"prometheus-remote-write.yaml": func(server string) []string { return []string{"REMOTE_WRITE_URL=" + server + "/api/v1/write"} },
		"telegraf.yaml":                func(server string) []string { return []string{"TELEGRAF_URL=" + server + "/api/v1/write"} },
	} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			platform := testTraffic(t)
			server := startPrometheus(t, "127.0.0.1:1")
			shipped(t, config, append(address(server.url), socketURL(platform)), append(shortWindows, noOwnMetrics)...)
			truth := sent(t, platform)
			eventually(t, func() error { return server.disagreement(truth, "") })
		})
	}
}

// Mimir takes what Prometheus takes by remote write, at another path, for a tenant.
func TestConfigurationIntoMimir(t *testing.T) {
	t.Parallel()
	platform := testTraffic(t)
	server := startPrometheus(t, "127.0.0.1:1")
	behind, err := url.Parse(server.url)
	require.NoError(t, err)
	var strangers atomic.Int64
	mimir := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		if r.In.URL.Path != "/api/v1/push" || r.In.Header.Get("X-Scope-OrgID") != "emergency" {
			strangers.Add(1)
		}
		r.SetURL(behind)
		r.Out.URL.Path = "/api/v1/write"
	}})
	t.Cleanup(mimir.Close)
	shipped(t, "mimir.yaml", []string{"MIMIR_URL=" + mimir.URL, "MIMIR_TENANT=emergency", socketURL(platform)},
		append(shortWindows, noOwnMetrics)...)
	truth := sent(t, platform)
	eventually(t, func() error { return server.disagreement(truth, "") })
	assert.Zero(t, strangers.Load(), "requests without the tenant, or to another path than Mimir's")
}

func TestConfigurationIntoLoki(t *testing.T) {
	t.Parallel()
	platform := testTraffic(t)
	server := startPrometheus(t, "127.0.0.1:1")
	loki := startOTLPSink(t)
	shipped(t, "loki.yaml", []string{"LOKI_URL=" + loki.URL, "PROMETHEUS_URL=" + server.url, socketURL(platform)},
		append(shortWindows, noOwnMetrics)...)
	truth := sent(t, platform)
	eventually(t, func() error { return server.disagreement(truth, "") })
	eventually(t, func() error { return loki.seen(func() error { return loki.lacks(truth, "/otlp/v1/logs") }) })
	assert.NoError(t, loki.seen(func() error {
		if len(loki.labels) != 3 {
			return fmt.Errorf("only %v are on every resource", loki.labels)
		}
		return nil
	}))
}

// lacks says what of the truth has not come.
func (s *otlpSink) lacks(truth sim.Truth, path string) error {
	messages := s.events["message.send"] + s.events["message.receive"]
	switch {
	case s.requests[path] == 0:
		return fmt.Errorf("nothing came to %s, but to %v", path, s.requests)
	case int64(messages) != truth.Total.MessagesSent+truth.Total.MessagesReceived:
		return fmt.Errorf("%d messages have come, %d were sent", messages, truth.Total.MessagesSent+truth.Total.MessagesReceived)
	case s.events["ws_throughput"] == 0:
		return errors.New("no window record has come")
	}
	return nil
}

func TestConfigurationIntoElastic(t *testing.T) {
	t.Parallel()
	platform := testTraffic(t)
	elastic := startOTLPSink(t)
	shipped(t, "elastic.yaml", []string{"ELASTIC_OTLP_ENDPOINT=" + elastic.URL, "ELASTIC_API_KEY=the-key", socketURL(platform)},
		append(shortWindows, noOwnMetrics)...)
	truth := sent(t, platform)
	eventually(t, func() error {
		return elastic.seen(func() error {
			if key := http.Header(elastic.headers).Get("Authorization"); key != "ApiKey the-key" {
				return fmt.Errorf("the last request was authorized by %q", key)
			}
			if !elastic.metrics["ws.active_connections"] {
				return fmt.Errorf("no metrics have come, but %v", elastic.metrics)
			}
			return elastic.lacks(truth, "/v1/logs")
		})
	})
}

func TestConfigurationIntoAnArchive(t *testing.T) {
	t.Parallel()
	platform := testTraffic(t)
	folder := filepath.Join(t.TempDir(), "archive")
	scrape := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	collector := shipped(t, "archive.yaml", []string{"CCAAS_ARCHIVE=" + folder, socketURL(platform)},
		append(shortWindows, noOwnMetrics, "exporters::prometheus::endpoint="+scrape)...)
	server := startPrometheus(t, scrape)
	truth := sent(t, platform)
	eventually(t, func() error { return server.disagreement(truth, "scrape") })
	collector.stop(t)
	var text []byte
	for _, path := range matching(t, filepath.Join(folder, "events*.jsonl")) {
		part, err := os.ReadFile(path)
		require.NoError(t, err)
		text = append(text, part...)
	}
	messages := strings.Count(string(text), `"eventName":"message.send"`) + strings.Count(string(text), `"eventName":"message.receive"`)
	assert.Equal(t, truth.Total.MessagesSent+truth.Total.MessagesReceived, int64(messages))
	assert.Contains(t, string(text), `"eventName":"ws_throughput"`)
}

func TestConfigurationOfOwnTelemetry(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 200, true })
	backend := startOTLPSink(t)
	shipped(t, "own-telemetry.yaml", []string{"OTLP_ENDPOINT=" + backend.URL, socketURL(platform)}, shortWindows...)
	eventually(t, func() error {
		return backend.seen(func() error {
			for _, path := range []string{"/v1/traces", "/v1/metrics", "/v1/logs"} {
				if backend.requests[path] == 0 {
					return fmt.Errorf("nothing has come to %s, but to %v", path, backend.requests)
				}
			}
			if !backend.metrics["otelcol_ccaas_ws_events"] || !backend.metrics["ws.active_connections"] {
				return fmt.Errorf("the collector's own metrics, or the windows, are not among %v", backend.metrics)
			}
			return nil
		})
	})
}

// A sidecar sends events to a gateway, which counts them and alerts; a
// sidecar without the token gets nowhere.
func TestConfigurationsOfSidecarAndGateway(t *testing.T) {
	t.Parallel()
	platform := testTraffic(t)
	server := startPrometheus(t, "127.0.0.1:1")
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	shipped(t, "gateway.yaml", []string{
		"GATEWAY_LISTEN=" + listen, "GATEWAY_TOKEN=of-the-house", "PROMETHEUS_URL=" + server.url,
		"CCAAS_WEBHOOK=" + platform.URL() + "/sink/alerts", "CCAAS_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}, append(shortWindows, noOwnMetrics)...)
	shipped(t, "sidecar.yaml", []string{"GATEWAY_ENDPOINT=http://" + listen, "GATEWAY_TOKEN=of-the-house", socketURL(platform)}, noOwnMetrics)
	truth := sent(t, platform)
	eventually(t, func() error { return server.disagreement(truth, "") })

	response, err := http.Post("http://"+listen+"/v1/logs", "application/json", strings.NewReader("{}")) //nolint:gosec // a test's own server
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
}

// Two regions come together in one collector: their windows, the events of both, and Slack and PagerDuty without a failure.
func TestConfigurationOfAnEstate(t *testing.T) {
	t.Parallel()
	region := func(name string) *sim.Server {
		return startPlatform(t, func(c *sim.Config) {
			c.Rate, c.Events, c.Announce, c.Sessions = 200, 1_000, true, 50
			c.Tenants, c.Regions = []string{"acme_corp"}, []string{name}
		})
	}
	us, eu := region("us-east-1"), region("eu-west-1")
	server := startPrometheus(t, "127.0.0.1:1")
	folder := filepath.Join(t.TempDir(), "archive")
	collector := shipped(t, "estate.yaml", append(append([]string{}, someSecrets...),
		"CCAAS_US_ENDPOINT="+strings.Replace(us.URL(), "http", "ws", 1), "CCAAS_EU_ENDPOINT="+strings.Replace(eu.URL(), "http", "ws", 1),
		"PROMETHEUS_URL="+server.url, "CCAAS_ARCHIVE="+folder, "SLACK_WEBHOOK_URL="+us.URL()+"/sink/alerts"),
		append(shortWindows, noOwnMetrics, "exporters::webhook/pagerduty::endpoint="+us.URL()+"/sink/alerts")...)
	messages := int64(0)
	for _, platform := range []*sim.Server{us, eu} {
		truth := sent(t, platform)
		eventually(t, func() error { return server.disagreement(truth, "") })
		messages += truth.Total.MessagesSent + truth.Total.MessagesReceived
	}
	collector.stop(t)
	archived := 0
	for _, path := range matching(t, filepath.Join(folder, "events*.jsonl")) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		archived += strings.Count(string(text), `"eventName":"message.send"`) + strings.Count(string(text), `"eventName":"message.receive"`)
	}
	assert.EqualValues(t, messages, archived)
}

// The platform refuses us: health_check names it, and its status is 200 unless CCAAS_HEALTH_STRICT is set.
func TestConfigurationHealthFailsWhereItIsStrict(t *testing.T) {
	t.Parallel()
	for strict, want := range map[string]int{"": http.StatusOK, "true": http.StatusInternalServerError} {
		t.Run("strict "+strict, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(c *sim.Config) { c.Trouble.UpgradeFail = sim.Failure{Status: http.StatusUnauthorized} })
			health := fmt.Sprintf("127.0.0.1:%d", freePort(t))
			shipped(t, "prometheus-otlp.yaml", []string{"CCAAS_HEALTH_STRICT=" + strict, "PROMETHEUS_URL=http://127.0.0.1:1", socketURL(platform)},
				noOwnMetrics, "extensions::health_check::http::endpoint="+health, "extensions::health_check::component_health::recovery_duration=1s")
			eventually(t, func() error {
				code, body, err := get("http://" + health)
				if err == nil && (code != want || !strings.Contains(body, "StatusRecoverableError") || !strings.Contains(body, "401")) {
					err = fmt.Errorf("health is %d: %s", code, body)
				}
				return err
			})
		})
	}
}
