// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	sdk "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The whole way, with trouble of every kind that a panel shows: windows and
// alerts to one store by OTLP, to another by remote write and to a third by scraping,
// raw events to an archive that is out of order for a while, alerts to a webhook
// that takes them and to one that does not.
const dashboardsConfig = `
extensions:
  file_storage: { directory: %q, create_directory: true }
receivers:
  ccaas_ws:
    platform: genesys_cloud
    endpoint: %q
    tenant_id: acme_corp
    region: us-east-1
    oauth2: { client_id: id, client_secret: secret }
    reconnect: { initial_interval: 500ms }
    batch: { max_events: 100 }
processors:
  memory_limiter: { check_interval: 1s, limit_mib: 512, spike_limit_mib: 128 }
  drift:
  ws_window: { storage: file_storage }
connectors:
  ws_metrics:
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
  otlp_http/lost: { metrics_endpoint: "%[5]s/v1/metrics", retry_on_failure: { enabled: false } }
  otlp_http/archive: { logs_endpoint: "%[5]s/v1/logs", sending_queue: { enabled: false }, retry_on_failure: { enabled: false } }
  prometheus: { endpoint: "127.0.0.1:%[7]d", send_timestamps: true, translation_strategy: UnderscoreEscapingWithSuffixes }
  webhook: { endpoint: "%[5]s/alerts" }
  webhook/refused: { endpoint: "%[5]s/nobody" }
service:
  extensions: [file_storage]
  telemetry:
    metrics:
      readers:
        - pull: { exporter: { prometheus: { host: 127.0.0.1, port: %[6]d } } }
        - periodic: { interval: 1000, exporter: { otlp: { protocol: http/protobuf, endpoint: "%[3]s/api/v1/otlp/v1/metrics" } } }
  pipelines:
    logs/events:
      receivers: [ccaas_ws]
      processors: [memory_limiter, drift, ws_window]
      exporters: [otlp_http/archive, ws_metrics]
    metrics/windows:
      receivers: [ws_metrics]
      exporters: [otlp_http/windows, otlp_http/lost, prometheus_remote_write, prometheus, alert]
    metrics/alerts:
      receivers: [alert]
      exporters: [otlp_http/windows, prometheus_remote_write, prometheus]
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
	platform, telemetry, windows := fmt.Sprintf("127.0.0.1:%d", freePort(t)), freePort(t), freePort(t)
	own := fmt.Sprintf("127.0.0.1:%d", telemetry)
	e.stores = map[string]prometheus{
		"OTLP": startPrometheus(t), "remote write": startPrometheus(t, own),
		"scraping": startPrometheus(t, own, fmt.Sprintf("127.0.0.1:%d", windows)),
	}
	e.simulator = "http://" + platform
	start(t, "ccaassim", nil, "--listen", platform, "--rate", "150", "--malformed", "0.03", "--skew", "350ms")
	config := filepath.Join(folder, "config.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, dashboardsConfig, filepath.Join(folder, "state"), "ws://"+platform,
		e.stores["OTLP"].url, e.stores["remote write"].url, archive.URL, telemetry, windows), 0o600))
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

// until waits for an expression to have an answer in every store.
func (e *estate) until(t *testing.T, expression string) {
	t.Helper()
	for name, store := range e.stores {
		eventually(t, func() error {
			samples, err := store.query(expression)
			if err == nil && len(samples) == 0 {
				err = fmt.Errorf("by %s: nothing for %s", name, expression)
			}
			return err
		})
	}
}

// points are the times at which an expression has a value, by the series' labels,
// asked for as a panel does: in steps of a window, from multiples of one.
func (p prometheus) points(expression string, from, to time.Time) (map[string][]time.Time, error) {
	const step = 9
	_, body, err := get(fmt.Sprintf("%s/api/v1/query_range?query=%s&start=%d&end=%d&step=%d", p.url, url.QueryEscape(expression),
		from.Unix()/step*step, to.Unix()/step*step, step))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", body, err)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	points := map[string][]time.Time{}
	for _, series := range answer.Data.Result {
		for _, value := range series.Values {
			if value[1] != "NaN" {
				name := fmt.Sprint(series.Metric)
				points[name] = append(points[name], time.Unix(int64(value[0].(float64)), 0))
			}
		}
	}
	return points, nil
}

// asked is an expression of a dashboard, and where it stands.
type asked struct{ where, expression string }

func dashboards(t *testing.T) map[string]dashboard.Dashboard {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	files, err := filepath.Glob("../dashboards/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]dashboard.Dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var decoded dashboard.Dashboard
		require.NoError(t, decoded.UnmarshalJSONStrict(text), file)
		all[filepath.Base(file)] = decoded
	}
	return all
}

// questions are all expressions of all dashboards, with what Grafana fills in.
func questions(t *testing.T, by string) []asked {
	t.Helper()
	fill := strings.NewReplacer("${by:csv}", by, "$__interval", "9s", "$__rate_interval", "60s", "$__range", "5m",
		"$tenant_id", ".*", "$region", ".*", "$channel_type", ".*", "$instance", ".*", "$rule", ".*")
	var all []asked
	for file, decoded := range dashboards(t) {
		for _, each := range decoded.Panels {
			if each.Panel == nil {
				continue
			}
			for _, target := range each.Panel.Targets {
				if query, is := target.(*sdk.Dataquery); is {
					all = append(all, asked{file + ": " + *each.Panel.Title + " " + *query.RefId, fill.Replace(query.Expr)})
				}
			}
		}
		for _, annotation := range decoded.Annotations.List {
			all = append(all, asked{file + ": " + annotation.Name, fill.Replace(*annotation.Expr)})
		}
	}
	require.NotEmpty(t, all)
	return all
}

// Every query of every dashboard has an answer, whichever way the metrics came.
func TestDashboards(t *testing.T) {
	t.Parallel()
	estate := startEstate(t)
	estate.until(t, `count_over_time(ws_window_complete_ratio[2m]) > 2`)
	estate.until(t, `ws_alert_firing{rule="ws_active_connections_high"} == 1`)
	estate.until(t, `ws_alert_firing{rule="ws_clock_skew"} == 1`)

	estate.archive.Store(http.StatusServiceUnavailable)
	time.Sleep(5 * time.Second) // both batches are full after two, and reading stands still
	estate.archive.Store(http.StatusOK)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_backpressure_time(_seconds)?(_total)?"} > 0`)
	estate.archive.Store(http.StatusBadRequest)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_dropped_records(_seconds)?(_total)?"} > 0`)
	estate.archive.Store(http.StatusOK)
	estate.trouble(t, "/trouble/burst", "")
	estate.trouble(t, "/trouble", `{"upgrade-fail":"503:2"}`)
	estate.trouble(t, "/trouble/reset", "")
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_connect_failures(_seconds)?(_total)?"} > 0`)
	estate.until(t, `ws_window_complete_ratio == 0`)
	estate.until(t, `ws_alert_firing{rule="ws_connection_drop_rate"} == 1`)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_connections(_seconds)?(_total)?"} == 1`)

	estate.until(t, `{__name__=~"otelcol_webhook_dead_letters(_seconds)?(_total)?"}`)
	estate.until(t, `count_over_time({__name__=~"otelcol_ccaas_ws_connect_failures(_seconds)?(_total)?"}[1m]) > 2`)

	now := time.Now().Add(9 * time.Second) // the step that we are in is shown, too
	for name, store := range estate.stores {
		for _, by := range []string{"region", "region,tenant_id,channel_type"} {
			for _, question := range questions(t, by) {
				points, err := store.points(question.expression, estate.began, now)
				require.NoError(t, err, question.where)
				assert.NotEmpty(t, points, "by %s: %s: %s", name, question.where, question.expression)
			}
		}
		estate.choices(t, name)
	}
	estate.dies(t)
}

// choices says that every variable has values to choose from.
func (e *estate) choices(t *testing.T, store string) {
	t.Helper()
	anything := strings.NewReplacer("$tenant_id", ".*", "$region", ".*")
	for file, decoded := range dashboards(t) {
		for _, variable := range decoded.Templating.List {
			if variable.Query == nil || variable.Query.String == nil || !strings.HasPrefix(*variable.Query.String, "label_values(") {
				continue
			}
			inside := strings.TrimSuffix(strings.TrimPrefix(*variable.Query.String, "label_values("), ")")
			comma := strings.LastIndex(inside, ", ")
			_, body, err := get(fmt.Sprintf("%s/api/v1/label/%s/values?match[]=%s", e.stores[store].url, inside[comma+2:],
				url.QueryEscape(anything.Replace(inside[:comma]))))
			require.NoError(t, err)
			var answer struct{ Data []string }
			require.NoError(t, json.Unmarshal([]byte(body), &answer))
			assert.NotEmpty(t, answer.Data, "by %s: %s: %s: %s", store, file, variable.Name, body)
		}
	}
}

// dies ends the collector and says that no line goes on: a dead stream is told
// apart from a calm one, and the bands name it.
func (e *estate) dies(t *testing.T) {
	t.Helper()
	e.collector.stop(t)
	for name, store := range e.stores {
		eventually(t, func() error {
			samples, err := store.query(`last_over_time(ws_window_complete_ratio[40s])`)
			if err == nil && len(samples) > 0 {
				err = fmt.Errorf("by %s: still there", name)
			}
			return err
		})
		now := time.Now()
		for _, question := range questions(t, "region") {
			file, title, _ := strings.Cut(question.where, ": ")
			points, err := store.points(question.expression, now.Add(-9*time.Second), now)
			require.NoError(t, err)
			switch {
			case strings.HasPrefix(title, "Can the stream be trusted?"):
				assert.NotEmpty(t, points, "by %s: nobody says that there are no windows", name)
			case file == "overview.json" && !strings.HasSuffix(title, "Payload throughput B"): // the peak is of the past
				assert.Empty(t, points, "by %s: %s goes on: %s", name, question.where, question.expression)
			}
		}
	}
}
