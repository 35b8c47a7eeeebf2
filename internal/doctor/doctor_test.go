// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/configcheck"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
)

func TestDirectories(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	file := filepath.Join(directory, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	var report diagnosis.Report
	directories(&configcheck.Component{Section: "exporters", ID: "file", Settings: map[string]any{
		"directory":   directory,
		"store":       map[string]any{"directory": filepath.Join(directory, "new", "deeper")},
		"other":       map[string]any{"directory": file},
		"another":     map[string]any{"directory": filepath.Join(file, "below")},
		"path":        filepath.Join(directory, "archive", "events.jsonl"),
		"dead_letter": map[string]any{"path": filepath.Join(file, "letters.jsonl")},
		"preflight":   map[string]any{"path": "/api/v2/platform/version"},
		"status":      map[string]any{"path": "/"},
	}}, &report)
	status := map[string]diagnosis.Status{}
	for _, result := range report.Results {
		key, text, _ := strings.Cut(result.Text, ": ")
		status[key] = result.Status
		if result.Status == diagnosis.Failed {
			assert.Contains(t, text, file+" is a file, not a directory; give another path")
		}
	}
	assert.Equal(t, map[string]diagnosis.Status{
		"directory": diagnosis.OK, "store::directory": diagnosis.OK, "other::directory": diagnosis.Failed, "another::directory": diagnosis.Failed,
		"path": diagnosis.OK, "dead_letter::path": diagnosis.Failed,
	}, status)
	assert.NoDirExists(t, filepath.Join(directory, "new"), "nothing is created")
	if runtime.GOOS != "linux" {
		return
	}
	report = diagnosis.Report{} // root, too, cannot create a directory in /proc
	directories(&configcheck.Component{Settings: map[string]any{"events": map[string]any{"directory": "/proc/nope"}}}, &report)
	require.Len(t, report.Results, 1)
	assert.Equal(t, diagnosis.Failed, report.Results[0].Status)
	assert.Contains(t, report.Results[0].Text, "events::directory: /proc: the directory cannot be created")
}

// serverConfig is a configuration of a component that listens.
type serverConfig struct {
	confighttp.ServerConfig `mapstructure:",squash"`
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	status := http.StatusMethodNotAllowed
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"), "no credentials")
		w.WriteHeader(status)
	}))
	defer server.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	own := listeners([]configcheck.Component{
		{Section: "extensions", ID: "dashboard", Settings: map[string]any{"endpoint": "localhost:3080"}, Config: listeningOn("localhost:3080")},
	})
	for name, test := range map[string]struct {
		section, id string
		settings    map[string]any
		want        diagnosis.Status // empty: not checked
		text        string
	}{
		"answers":           {"exporters", "otlp_http", map[string]any{"metrics_endpoint": server.URL + "/v1/metrics"}, diagnosis.OK, "metrics_endpoint: 127.0.0.1:"},
		"secret path":       {"exporters", "webhook", map[string]any{"endpoint": gone.URL + "/hush?key=hush"}, diagnosis.Failed, "connection refused; check the address"},
		"host and port":     {"exporters", "otlp", map[string]any{"endpoint": strings.TrimPrefix(server.URL, "http://")}, diagnosis.OK, "endpoint: "},
		"brokers":           {"receivers", "kafka", map[string]any{"brokers": []any{strings.TrimPrefix(gone.URL, "http://")}}, diagnosis.Failed, "brokers: "},
		"database":          {"exporters", "timescaledb", map[string]any{"endpoint": "postgres://u:hush@" + strings.TrimPrefix(server.URL, "http://") + "/d"}, diagnosis.OK, "endpoint: "},
		"own listener":      {"exporters", "otlp_http", map[string]any{"endpoint": "http://127.0.0.1:3080/api/v1/otlp/"}, diagnosis.OK, "is extensions::dashboard of this configuration"},
		"own base":          {"exporters", "otlp_http/a", map[string]any{"endpoint": "http://127.0.0.1:3080/api/v1"}, diagnosis.Failed, "set http://127.0.0.1:3080/api/v1/otlp"},
		"own metrics":       {"exporters", "otlp_http", map[string]any{"metrics_endpoint": "http://u:hush@localhost:3080/v1/metrics?hush"}, diagnosis.Failed, "serves no path \"/v1/metrics\": what is sent there is lost; set http://localhost:3080/api/v1/otlp/v1/metrics"},
		"own logs":          {"exporters", "otlp_http", map[string]any{"logs_endpoint": "http://localhost:3080/api/v1/otlp/v1/metrics"}, diagnosis.Failed, "set http://localhost:3080/api/v1/otlp/v1/logs"},
		"own logs right":    {"exporters", "otlp_http", map[string]any{"logs_endpoint": "http://localhost:3080/api/v1/otlp/v1/logs"}, diagnosis.OK, ""},
		"own write":         {"exporters", "prometheus_remote_write", map[string]any{"endpoint": "http://localhost:3080/api/v1/push"}, diagnosis.Failed, "set http://localhost:3080/api/v1/write"},
		"own write right":   {"exporters", "prometheusremotewrite", map[string]any{"endpoint": "http://localhost:3080/api/v1/write"}, diagnosis.OK, ""},
		"own webhook":       {"exporters", "webhook", map[string]any{"endpoint": "http://localhost:3080/hook"}, diagnosis.OK, ""},
		"stream":            {"receivers", "ccaas_rabbitmq/a", map[string]any{"endpoint": "rabbitmq-stream://" + strings.TrimPrefix(server.URL, "http://")}, diagnosis.OK, "endpoint: 127.0.0.1:"},
		"no stream":         {"receivers", "ccaas_rabbitmq", map[string]any{"endpoint": "rabbitmq-stream://" + strings.TrimPrefix(gone.URL, "http://")}, diagnosis.Failed, "connection refused"},
		"no AMQP":           {"receivers", "ccaas_rabbitmq", map[string]any{"amqp_endpoint": "amqp://" + strings.TrimPrefix(gone.URL, "http://")}, diagnosis.Failed, "amqp_endpoint: 127.0.0.1:"},
		"listener":          {"exporters", "prometheus", map[string]any{"endpoint": "localhost:1"}, "", ""},
		"receiver listener": {"receivers", "otlp", map[string]any{"endpoint": "localhost:1"}, "", ""},
		"no address":        {"exporters", "otlp", map[string]any{"endpoint": "unix:///run/x"}, "", ""},
		"wrong CA":          {"exporters", "otlp_http", map[string]any{"endpoint": server.URL, "tls": map[string]any{"ca_file": "/no/such"}}, diagnosis.Failed, "tls: "},
	} {
		t.Run(name, func(t *testing.T) {
			report := diagnosis.Report{}
			addresses(t.Context(), &configcheck.Component{Section: test.section, ID: test.id, Settings: test.settings}, own, &report)
			if test.want == "" {
				assert.Empty(t, report.Results)
				return
			}
			require.Len(t, report.Results, 1)
			assert.Equal(t, test.want, report.Results[0].Status, report.Results[0].Text)
			assert.Contains(t, report.Results[0].Text, test.text)
			assert.NotContains(t, report.Results[0].Text, "hush")
		})
	}
	for key, want := range map[string]diagnosis.Status{"metrics_endpoint": diagnosis.Failed, "endpoint": diagnosis.OK} {
		status = http.StatusNotFound
		report := diagnosis.Report{}
		addresses(t.Context(), &configcheck.Component{Section: "exporters", ID: "otlp_http", Settings: map[string]any{key: server.URL}}, own, &report)
		require.Len(t, report.Results, 1)
		assert.Equal(t, want, report.Results[0].Status, report.Results[0].Text)
	}
	status = http.StatusServiceUnavailable
	report := diagnosis.Report{}
	addresses(t.Context(), &configcheck.Component{Section: "exporters", ID: "otlp_http", Settings: map[string]any{"endpoint": server.URL}}, own, &report)
	require.Len(t, report.Results, 1)
	assert.Contains(t, report.Results[0].Text, "the response is 503 Service Unavailable")
}

// A port that an address leaves out is that of its protocol.
func TestHostPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"rabbitmq-stream://mq": "mq:5552", "rabbitmq-stream+tls://mq": "mq:5551", "amqp://mq": "mq:5672", "amqps://mq": "mq:5671",
		"https://h/p": "h:443", "http://h:1": "h:1",
	} {
		assert.Equal(t, want, hostPort(parse(address)), address)
	}
}

func listeningOn(endpoint string) *serverConfig {
	config := &serverConfig{ServerConfig: confighttp.NewDefaultServerConfig()}
	config.NetAddr.Endpoint = endpoint
	return config
}

func TestWrite(t *testing.T) {
	t.Parallel()
	report := diagnosis.Report{Component: "receivers::a"}
	report.OK("dns", "%s: fine", "host")
	report.Failed("tcp", "do <this>")
	report.Skipped("token", "not reached")
	var out bytes.Buffer
	require.NoError(t, write(&out, report.Results, false))
	assert.Equal(t, "ok      receivers::a dns: host: fine\nfailed  receivers::a tcp: do <this>\nskipped receivers::a token: not reached\n", out.String())
	out.Reset()
	require.NoError(t, write(&out, report.Results[:2], true))
	assert.JSONEq(t, `{"ok":false,"checks":[{"component":"receivers::a","check":"dns","status":"ok","text":"host: fine"},
		{"component":"receivers::a","check":"tcp","status":"failed","text":"do <this>"}]}`, out.String())
	assert.Equal(t, 1, countFailed(report.Results))
}
