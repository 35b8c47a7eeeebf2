// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// load reads one of the configurations in testdata.
func load(t *testing.T, name string) *Config {
	t.Helper()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	one, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	require.NotEmpty(t, one.AllKeys(), name)
	config := createDefaultConfig().(*Config)
	require.NoError(t, one.Unmarshal(config))
	return config
}

func TestConfig(t *testing.T) {
	t.Parallel()
	defaults := createDefaultConfig().(*Config)
	defaults.ClientConfig.Endpoint, defaults.Secret = "https://alerts.example.com/hook", secret
	defaults.QueueConfig.Get().StorageID = &storageID
	config := load(t, "design")
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, defaults, config)
	assert.Equal(t, 15*time.Second, config.ClientConfig.Timeout)
	assert.True(t, config.RetryConfig.Enabled)
	assert.Zero(t, config.RetryConfig.MaxElapsedTime)
	assert.Empty(t, config.ClientConfig.Compression)

	config = load(t, "everything")
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, []configopaque.String{otherSecret}, config.Secrets)
	assert.Equal(t, payload.FormatTemplate, config.Format)
	assert.Equal(t, TemplateConfig{
		Body: `{"text": {{ toJSON .Summary }}}`, ContentType: "application/cloudevents+json",
		Variables: map[string]configopaque.String{"key": "hush"},
	}, config.Template)
	assert.Equal(t, DeadLetterConfig{Path: "/var/lib/otelcol-ccaas/dead.jsonl", MaxMegabytes: 5}, config.DeadLetter)
	assert.Equal(t, 48*time.Hour, config.Alertmanager.ExpireAfter)
	assert.Equal(t, 3, config.Concurrency)
	assert.Equal(t, int64(50), config.QueueConfig.Get().QueueSize)
	assert.NotContains(t, fmt.Sprintf("%+v", config), "hush")
	assert.NotContains(t, fmt.Sprintf("%+v", config), secret)
}

func TestConfig_Endpoint(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"design":            "https://alerts.example.com/hook",
		"loopback":          "http://127.0.0.1:8080/hook?a=b",
		"loopback_v6":       "http://[::1]:8080",
		"insecure":          "http://alerts.example.com/hook",
		"alertmanager":      "http://localhost:9093/api/v2/alerts",
		"alertmanager_path": "http://localhost:9093/am/api/v2/alerts",
	} {
		config := load(t, name)
		require.NoError(t, confmap.Validate(config))
		format, err := payload.New(config.payload())
		require.NoError(t, err)
		endpoint, err := config.endpoint(format)
		require.NoError(t, err)
		assert.Equal(t, want, endpoint.String())
	}
}

func TestConfig_Invalid(t *testing.T) {
	t.Parallel()
	for name, says := range map[string][]string{
		"no_endpoint":    {"endpoint: missing"},
		"no_url":         {"endpoint: not a URL"},
		"in_the_clear":   {"endpoint: http://alerts.example.com: would send alerts in the clear", "tls::insecure: true"},
		"password":       {"endpoint: has a user name"},
		"fragment":       {"endpoint: has a fragment"},
		"scheme":         {"endpoint: ftp://alerts.example.com: must be https or http"},
		"no_prefix":      {"secret: must begin with whsec_"},
		"no_base64":      {"secrets[1]: must be whsec_ and base64"},
		"short":          {"secret: is a key of 4 bytes: must be 24 to 64"},
		"unknown_format": {`format: "xml": must be native, alertmanager or template`},
		"no_template":    {"template::body: missing"},
		"bad_template":   {"template::body: ", "toYAML"},
		"lost_template":  {`template::body: set, while format is "native"`},
		"consumers":      {"sending_queue::num_consumers: 4: must be 1"},
		"batch":          {"sending_queue::batch: set"},
		"retry":          {"retry_on_failure", "multiplier"},
		"numbers": {
			"timeout: 0s: must be at least 100ms", "alertmanager::expire_after: 1s: must be at least 1m", "concurrency: 0: must be 1 to 100",
			"dead_letter::max_megabytes: 0: must be at least 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := confmap.Validate(load(t, name))
			for _, one := range says {
				require.ErrorContains(t, err, one)
			}
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestWarningsOfInput(t *testing.T) {
	t.Parallel()
	config := createDefaultConfig().(*Config)
	config.Format = payload.FormatTemplate
	config.Template.Body = `{"id": {{ toJSON .Body.alertId }}, "q": {{ toJSON .Body.labels.queue }}, "o": {{ toJSON .Body.something }}, "t": {{ toJSON .Body.tenant_id }}}`
	warnings := config.WarningsOfInput([]string{"alert", "batch"})
	require.Len(t, warnings, 2)
	assert.Equal(t, "template::body: .Body.alertId: an alert's body has no such key, and its value is null; did you mean .Body.alert_id?", warnings[0])
	assert.Contains(t, warnings[1], "template::body: .Body.something: an alert's body has no such key, and its value is null; its keys are alert_type, metric, ")
	for _, types := range [][]string{nil, {"otlp"}, {"batch"}, {"alert", "ccaas_ws"}, {"alert", "forward"}, {"alert", "transform"}} {
		assert.Empty(t, config.WarningsOfInput(types), "other records may have other keys")
	}
	config.Template.Body = `{{ toJSON .Nothing }}`
	assert.Empty(t, config.WarningsOfInput([]string{"alert"}), "Validate returns an error")
	config.Format, config.Template.Body = payload.FormatNative, ""
	assert.Empty(t, config.WarningsOfInput([]string{"alert"}))
}
