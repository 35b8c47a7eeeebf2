// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The complete path, with faults of every kind that a panel shows: windows and
// alerts to the collector's own store and to another by OTLP, to a third by remote
// write and to a fourth by scraping, raw events to an archive that is out of order for a while, alerts to a webhook
// that takes them and to one that does not.
const dashboardsConfig = `
extensions:
  file_storage: { directory: "%[1]s/state", create_directory: true }
  dashboard: { endpoint: "127.0.0.1:%[8]d", store: { directory: "%[1]s/store" } }
receivers:
  ccaas_ws:
    platform: genesys_cloud
    endpoint: "ws://%[2]s"
    tenant_id: acme_corp
    region: us-east-1
    oauth2: { client_id: id, client_secret: secret }
    reconnect: { initial_interval: 500ms }
    batch: { max_events: 100 }
    rotation: { overlap: 2s, max_age: 25s }
  ccaas_ws/asked: # the platform is asked for its history
    platform: genesys_cloud
    api: notifications
    endpoint: "http://%[2]s"
    tenant_id: globex
    region: us-east-1
    oauth2: { client_id: asked, client_secret: secret }
    reconnect: { initial_interval: 500ms }
    limits: { requests_per_minute: 600, dials_per_minute: 600 }
    initial_state: { enabled: true, settle: 1s, reconcile_interval: 5s }
processors:
  memory_limiter: { check_interval: 1s, limit_mib: 512, spike_limit_mib: 128 }
  drift:
  ws_window: { storage: file_storage, sessions: { enabled: true } }
connectors:
  ws_metrics:
  ws_sessions:
  alert:
    storage: file_storage
    rules:
      - name: ws_active_connections_high
        metric: ws.active_connections
        severity: warning
        baseline: { quantile: 0.95, lookback: 1h, min_history: 10s }
        threshold: { percent_of_baseline: 50 }
      - name: ws_connection_drop_rate
        metric: ws.drop_rate
        severity: critical
        threshold: { above: 0.5 }
        for: 2
      - name: ws_clock_skew
        metric: ws.clock.skew
        severity: warning
        threshold: { outside: 200 }
      - name: some_messages
        metric: ws.messages
        severity: info
        threshold: { above: 0 }
exporters:
  otlp_http/windows: { metrics_endpoint: "%[3]s/api/v1/otlp/v1/metrics" }
  prometheus_remote_write: { endpoint: "%[4]s/api/v1/write" }
  otlp_http/embedded: { metrics_endpoint: "http://127.0.0.1:%[8]d/api/v1/otlp/v1/metrics" }
  otlp_http/lost: { metrics_endpoint: "%[5]s/v1/metrics", retry_on_failure: { enabled: false } }
  otlp_http/archive: { logs_endpoint: "%[5]s/v1/logs", sending_queue: { enabled: false }, retry_on_failure: { enabled: false } }
  prometheus: { endpoint: "127.0.0.1:%[7]d", send_timestamps: true, translation_strategy: UnderscoreEscapingWithSuffixes }
  webhook: { endpoint: "%[5]s/alerts" }
  webhook/refused: { endpoint: "%[5]s/nobody" }
service:
  extensions: [file_storage, dashboard]
  telemetry:
    metrics:
      readers:
        - pull: { exporter: { prometheus: { host: 127.0.0.1, port: %[6]d } } }
        - periodic: { interval: 1000, exporter: { otlp: { protocol: http/protobuf, endpoint: "%[3]s/api/v1/otlp/v1/metrics" } } }
        - periodic: { interval: 1000, exporter: { otlp: { protocol: http/protobuf, endpoint: "http://127.0.0.1:%[8]d/api/v1/otlp/v1/metrics" } } }
  pipelines:
    logs/events:
      receivers: [ccaas_ws, ccaas_ws/asked]
      processors: [memory_limiter, drift, ws_window]
      exporters: [otlp_http/archive, ws_metrics, ws_sessions]
    metrics/sessions:
      receivers: [ws_sessions]
      exporters: [otlp_http/windows, otlp_http/embedded, prometheus_remote_write, prometheus]
    metrics/windows:
      receivers: [ws_metrics]
      exporters: [otlp_http/windows, otlp_http/embedded, otlp_http/lost, prometheus_remote_write, prometheus, alert]
    metrics/alerts:
      receivers: [alert]
      exporters: [otlp_http/windows, otlp_http/embedded, prometheus_remote_write, prometheus]
    logs/alerts:
      receivers: [alert]
      exporters: [webhook, webhook/refused]
`

// estate is a running collector with what is around it.
type estate struct {
	collector *process
	simulator string
	archive   *atomic.Int32 // the status that it answers with
	stores    map[string]prometheus
	began     time.Time
}

func startEstate(t *testing.T) *estate {
	t.Helper()
	folder := t.TempDir()
	e := &estate{archive: &atomic.Int32{}, began: time.Now()}
	e.archive.Store(http.StatusOK)
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch request.URL.Path {
		case "/v1/logs":
			w.WriteHeader(int(e.archive.Load()))
		case "/alerts":
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(archive.Close)
	platform, telemetry, windows, embedded := fmt.Sprintf("127.0.0.1:%d", freePort(t)), freePort(t), freePort(t), freePort(t)
	own := fmt.Sprintf("127.0.0.1:%d", telemetry)
	e.stores = map[string]prometheus{
		"OTLP": startPrometheus(t), "remote write": startPrometheus(t, own),
		"scraping": startPrometheus(t, own, fmt.Sprintf("127.0.0.1:%d", windows)),
		"embedded": {url: fmt.Sprintf("http://127.0.0.1:%d", embedded)},
	}
	e.simulator = "http://" + platform
	start(t, "ccaassim", nil, "--listen", platform, "--rate", "150", "--malformed", "0.03", "--skew", "350ms", "--duplicates", "0.05", "--burst-drop-rate", "60",
		"--reconnect-rate", "60", "--reconnect-within", "10s")
	config := filepath.Join(folder, "config.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, dashboardsConfig, folder, platform,
		e.stores["OTLP"].url, e.stores["remote write"].url, archive.URL, telemetry, windows, embedded), 0o600))
	e.collector = start(t, "otelcol-ccaas", nil, "--config", config)
	return e
}

func (e *estate) trouble(t *testing.T, path, body string) {
	t.Helper()
	response, err := http.Post(e.simulator+path, "application/json", strings.NewReader(body)) //nolint:gosec // a test's own server
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 300)
}

// ancient offers the embedded store a sample that it has to refuse.
func (e *estate) ancient(t *testing.T) {
	t.Helper()
	const sample = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"ancient","gauge":{"dataPoints":[` +
		`{"timeUnixNano":"1000000000000000000","asDouble":1}]}}]}]}]}`
	response, err := http.Post(e.stores["embedded"].url+"/api/v1/otlp/v1/metrics", "application/json", strings.NewReader(sample)) //nolint:gosec // a test's own server
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 500)
}

// until waits for an expression to have an answer in every store, but for those
// named.
func (e *estate) until(t *testing.T, expression string, except ...string) {
	t.Helper()
	for name, store := range e.stores {
		if slices.Contains(except, name) {
			continue
		}
		eventually(t, func() error {
			samples, err := store.query(expression)
			if err == nil && len(samples) == 0 {
				err = fmt.Errorf("by %s: nothing for %s", name, expression)
			}
			return err
		})
	}
}
