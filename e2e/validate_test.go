// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func validate(t *testing.T, config string, flags ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), append([]string{"validate", "--config", config}, flags...)...)
	command.Env = append(os.Environ(), someSecrets...)
	out, err := command.CombinedOutput()
	assert.NoError(t, err, string(out))
}

// matching are the files of a pattern. That there are none is never right.
func matching(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files
}

// Every configuration in config/ is loaded by the collector, without a warning where the secrets are set.
func TestValidateConfigs(t *testing.T) {
	t.Parallel()
	configs := matching(t, "../config/*.yaml")
	list, err := os.ReadFile("../config/README.md")
	require.NoError(t, err)
	for _, config := range configs {
		assert.Equal(t, 1, strings.Count(string(list), "("+filepath.Base(config)+")"), "rows of %s in the list", config)
		t.Run(filepath.Base(config), func(t *testing.T) {
			t.Parallel()
			validate(t, config, "--strict")
		})
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// So is every YAML block in a README or a page of docs/.
func TestValidateDocumentation(t *testing.T) {
	t.Parallel()
	blocks := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "build" || name == ".git" || name == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			blocks++
			t.Run(strings.TrimPrefix(path, "../"), func(t *testing.T) {
				t.Parallel()
				config := filepath.Join(t.TempDir(), "config.yaml")
				require.NoError(t, os.WriteFile(config, []byte(block[1]), 0o600))
				validate(t, config)
			})
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, blocks)
}

// commentedBlock is a block of TLS or SASL that a shipped configuration has ready behind comment marks.
var commentedBlock = regexp.MustCompile(`(?m)^( *)# ((?:tls|auth):\n(?:(?: *)#   .*\n)+)`)

// Such a block is valid without its marks, and an endpoint in plain text of another host is warned of until then.
func TestValidateCommentedBlocks(t *testing.T) {
	t.Parallel()
	for name, variable := range map[string]string{
		"gateway.yaml": "", "sidecar.yaml": "GATEWAY_ENDPOINT=https://gateway.example.com:4318",
		"kafka-ingest.yaml": "KAFKA_BROKERS=kafka.example.com:9093", "kafka-window.yaml": "KAFKA_BROKERS=kafka.example.com:9093",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("../config/" + name)
			require.NoError(t, err)
			blocks := 0
			complete := commentedBlock.ReplaceAllStringFunc(string(text), func(block string) string {
				blocks++
				return strings.ReplaceAll(block, "# ", "")
			})
			require.Positive(t, blocks)
			path := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(path, []byte(complete), 0o600))
			run := func(path, variable string) string {
				command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "validate", "--config", path)
				command.Env = append(append(os.Environ(), someSecrets...), variable, "KAFKA_USERNAME=user")
				out, err := command.CombinedOutput()
				require.NoError(t, err, string(out))
				return string(out)
			}
			assert.NotContains(t, run(path, variable), "plain text")
			if variable != "" {
				assert.Contains(t, run("../config/"+name, strings.Replace(variable, "https", "http", 1)), "plain text")
			}
		})
	}
}

// An error names the key with its path and the one that was probably meant, and has no stack trace.
func TestValidateNamesTheKeyThatWasMeant(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
receivers: { ccaas_ws: { platform: genesys_cloud, endpont: "wss://a.example.org", tenant_id: a, oauth2: { client_id: a, client_secret: b, scops: [x] } } }
processors: { ws_window: { sise: 10s } }
exporters: { otlp_http: { endpont: "http://localhost:4318" } }
connectors: { alert: { rules: [{ name: a, metric: ws.drop_rate, severity: w, treshold: { above: 1 } }] }, ws_metrics: }
service:
  pipelines:
    logs: { receivers: [ccaas_ws], processors: [ws_window], exporters: [ws_metrics] }
    metrics: { receivers: [ws_metrics], exporters: [otlp_http, alert] }
    logs/alerts: { receivers: [alert], exporters: [otlp_http] }
`), 0o600))
	for _, arguments := range [][]string{{"validate", "--config", path}, {"--config", path}} {
		out, err := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), arguments...).CombinedOutput()
		require.Error(t, err)
		for _, want := range []string{
			"receivers::ccaas_ws::endpont: unknown key; did you mean endpoint?",
			"receivers::ccaas_ws::oauth2::scops: unknown key; did you mean scopes?",
			"processors::ws_window::sise: unknown key; did you mean size?",
			"exporters::otlp_http::endpont: unknown key; did you mean endpoint?",
			"connectors::alert::rules::0::treshold: unknown key; did you mean threshold?",
		} {
			assert.Contains(t, string(out), want)
		}
		assert.NotContains(t, string(out), ".go:", "a stack trace")
	}
}

// A rule on a metric that does not exist is valid, for another source may send it, and is warned of.
func TestValidateWarnsOfUnknownMetrics(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	text, err := os.ReadFile("../config/alerting.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "metric: ws.drop_rate", "metric: ws.droprate", 1)), 0o600))
	command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "validate", "--config", path)
	command.Env = append(os.Environ(), someSecrets...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `Warning: connectors::alert::rules\[\S+\]::metric: ws.droprate: .*did you mean ws.drop_rate\?`, string(out))
}

// An environment variable that is not set is named, whether the configuration is valid without it or not.
func TestValidateNamesUnsetVariables(t *testing.T) {
	t.Parallel()
	run := func(config string, variables ...string) (string, error) {
		command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "validate", "--config", config)
		command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, variables...)
		out, err := command.CombinedOutput()
		return string(out), err
	}
	const secret = "CCAAS_WEBHOOK_SECRET=whsec_b3RlbGNvbC1jY2Fhcy1mYWtlLXNlY3JldC0wMDAw"
	out, err := run("../config/alerting.yaml", "CCAAS_CLIENT_ID=a", "CCAAS_CLIENT_SECRET=b", secret)
	require.NoError(t, err, out)
	assert.NotContains(t, out, "is not set")
	out, err = run("../config/alerting.yaml", "CCAAS_CLIENT_ID=a", "CCAAS_CLIENT_SECRET=b")
	require.NoError(t, err, out)
	assert.Contains(t, out, "Warning: environment variable CCAAS_WEBHOOK_SECRET is not set")
	assert.Equal(t, 1, strings.Count(out, "is not set"), "those with a default are not named")
	out, err = run("../config/alerting.yaml", "CCAAS_CLIENT_SECRET=b", secret)
	require.Error(t, err)
	assert.Contains(t, out, "Warning: environment variable CCAAS_CLIENT_ID is not set")
	assert.Contains(t, out, "oauth2::client_id")
}

// A calendar that cannot be parsed is an error with its line. Attributes, percentages and keys of a body
// that are probably misspelt are warned of.
func TestValidateAlertRules(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	calendar, path := filepath.Join(folder, "campaigns.ics"), filepath.Join(folder, "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
receivers: { otlp: { protocols: { grpc: { endpoint: "localhost:4317" } } } }
connectors:
  alert:
    rules:
      - name: a
        metric: ws.messages
        match: { channel_typ: webmessaging }
        by: [tenant_id, regoin]
        severity: warning
        baseline: { exclude: [{ ical: "`+calendar+`" }] }
        threshold: { percent_of_baseline: 1.2 }
exporters: { webhook: { endpoint: "https://alerts.example.com/hook", format: template, template: { body: "{{ toJSON .Body.alertId }}" } } }
service:
  pipelines:
    metrics: { receivers: [otlp], exporters: [alert] }
    logs/alerts: { receivers: [alert], exporters: [webhook] }
`), 0o600))
	run := func(text string) (string, error) {
		require.NoError(t, os.WriteFile(calendar, []byte(text), 0o600))
		out, err := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "validate", "--config", path).CombinedOutput()
		return string(out), err
	}
	out, err := run("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:x\nDTSTART:2026-12-01\nEND:VEVENT\nEND:VCALENDAR\n")
	require.Error(t, err)
	assert.Contains(t, out, "ical: "+calendar+`: cannot be read: line 4: event "x": DTSTART: "2026-12-01" is not a time`)

	out, err = run("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
	require.NoError(t, err, out)
	for _, want := range []string{
		"Warning: connectors::alert::rules[a]::match: channel_typ: ", "did you mean channel_type?",
		"Warning: connectors::alert::rules[a]::by[1]: regoin: ", "did you mean region?",
		"Warning: connectors::alert::rules[a]::threshold::percent_of_baseline: 1.2: ", "did you mean 120?",
		"Warning: exporters::webhook::template::body: .Body.alertId: an alert's body has no such key, and its value is null; did you mean .Body.alert_id?",
	} {
		assert.Contains(t, out, want)
	}
}

// What the Collector notices only at start is an error of validate: an extension that does not exist, a port,
// a placeholder. With --strict a warning is an error, too.
func TestValidateChecksWhatFailsAtStart(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../config/prometheus-otlp.yaml")
	require.NoError(t, err)
	for name, test := range map[string]struct{ old, replacement, want string }{
		"extension":   {"storage: file_storage", "storage: filestorage", "sending_queue::storage: filestorage: no extension has this ID; did you mean file_storage?"},
		"port":        {"localhost:9090", "localhost:99090", "metrics_endpoint: port 99090: must be at most 65535"},
		"placeholder": {"localhost:9090", "<your-host>", "metrics_endpoint: <your-host>: is a placeholder, not a host"},
		"nanoseconds": {"check_interval: 1s", "check_interval: 1", "processors::memory_limiter::check_interval: 1: has no unit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "config.yaml")
			require.Contains(t, string(text), test.old)
			require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), test.old, test.replacement)), 0o600))
			command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "validate", "--strict", "--config", path)
			command.Env = append(os.Environ(), someSecrets...)
			out, err := command.CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(out), test.want)
			assert.NotContains(t, string(out), "decoding failed")
		})
	}
}

// A directory that cannot be used is named by its absolute path and its key, without a stack trace.
func TestStartNamesTheDirectory(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "file"), nil, 0o600))
	command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "--config", mustAbs(t, "../config/kafka-ingest.yaml"))
	command.Dir = folder
	command.Env = append(append(os.Environ(), someSecrets...), "CCAAS_STATE=file/state")
	out, err := command.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "directory: "+filepath.Join(folder, "file", "state"))
	assert.NotContains(t, string(out), "\n\tgo.opentelemetry.io", "a stack trace")
}

func mustAbs(t testing.TB, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	require.NoError(t, err)
	return absolute
}
