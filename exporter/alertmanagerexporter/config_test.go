// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, id string, change map[string]any) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(id)
	require.NoError(t, err)
	require.NoError(t, sub.Merge(confmap.NewFromStringMap(change)))
	config := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(config); err != nil {
		return nil, err
	}
	return config, confmap.Validate(config)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	file, err := load(t, "alertmanager/file", nil)
	require.NoError(t, err)
	want := createDefaultConfig().(*Config)
	want.ConfigFile, want.Directory = "testdata/alertmanager.yml", "state"
	assert.Equal(t, want, file)

	all, err := load(t, "alertmanager/everything", nil)
	require.NoError(t, err)
	assert.Equal(t, 12*time.Hour, all.ExpireAfter)
	assert.Equal(t, LimitsConfig{Alerts: 10, Groups: 5, Silences: 3}, all.Limits)
	assert.Equal(t, []string{"alerts.example.com"}, all.API.Get().AllowedHosts)
	assert.Equal(t, 15*time.Second, all.Webhooks["oncall"].ClientConfig.Timeout, "a default")
	assert.Equal(t, DeadLetterConfig{Path: "refused.jsonl", MaxMegabytes: 5}, all.Webhooks["oncall"].DeadLetter)
	assert.True(t, all.QueueConfig.HasValue())
	assert.Equal(t, component.MustNewID("file_storage"), *all.QueueConfig.Get().StorageID)

	none, err := load(t, "alertmanager/no_api", nil)
	require.NoError(t, err)
	assert.False(t, none.API.HasValue())
}

func TestConfig_Invalid(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		change map[string]any
		says   string
	}{
		{map[string]any{"directory": ""}, "directory: missing"},
		{map[string]any{"config": map[string]any{"route": map[string]any{}}}, "config_file, config: exactly one"},
		{map[string]any{"config_file": ""}, "config_file, config: exactly one"},
		{map[string]any{"config_file": "testdata/none.yml"}, "config_file: testdata/none.yml: open"},
		{map[string]any{"reload_interval": "10ms"}, "reload_interval: 10ms: must be at least 1s"},
		{map[string]any{"reload_interval": 10}, "reload_interval: 10: has no unit"},
		{map[string]any{"retention": "1s"}, "retention: 1s: must be at least 1m"},
		{map[string]any{"retention": "1h"}, "repeat_interval: 4h0m0s: must be at most retention"},
		{map[string]any{"expire_after": "0s"}, "expire_after: 0s: must be at least 1m"},
		{map[string]any{"external_url": "localhost"}, `external_url: "localhost": must be a URL`},
		{map[string]any{"trace_url": "https://tempo.example.com/trace"}, `trace_url: "https://tempo.example.com/trace" has no {{trace_id}}`},
		{map[string]any{"trace_url": "tempo/{{trace_id}}"}, `trace_url: "tempo/{{trace_id}}" is not an http or https URL`},
		{map[string]any{"limits": map[string]any{"alerts": 0}}, "limits::alerts: 0: must be 1 to"},
		{map[string]any{"limits": map[string]any{"groups": -1}}, "limits::groups: -1: must be 1 to"},
		{map[string]any{"limits": map[string]any{"silences": 1_000_000}}, "limits::silences: 1000000: must be 1 to"},
		{map[string]any{"api": map[string]any{"endpoint": ""}}, "api::endpoint: missing"},
		{map[string]any{"api": map[string]any{"endpoint": "0.0.0.0:9093"}}, "api::endpoint: 0.0.0.0:9093: other machines reach it"},
		{map[string]any{"sending_queue": map[string]any{"num_consumers": 2}}, "sending_queue::num_consumers: 2: must be 1"},
		{map[string]any{"sending_queue": map[string]any{"queue_size": 2}}, "sending_queue::storage: missing"},
		{map[string]any{"webhooks": map[string]any{"none": map[string]any{"endpoint": "https://a.example"}}}, "webhooks::none::secret: missing"},
		{map[string]any{"webhooks": map[string]any{"none": map[string]any{"endpoint": "http://a.example/x", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}}, "webhooks::none::endpoint: http://a.example: would send alerts in the clear"},
		{map[string]any{"webhooks": map[string]any{"none": map[string]any{"endpoint": "https://u:p@a.example", "secret": "s"}}}, "webhooks::none::endpoint: must be a URL without a user name"},
		{map[string]any{"webhooks": map[string]any{"none": map[string]any{"endpoint": "https://a.example", "secret": "whsec_!", "timeout": "1s"}}}, "webhooks::none::secret: must be whsec_ and base64"},
		{map[string]any{"webhooks": map[string]any{"none": map[string]any{"endpoint": "https://a.example", "secrets": []any{"whsec_aHVzaA=="}}}}, "webhooks::none::secrets[0]: is a key of 4 bytes: must be 24 to 64"},
		{map[string]any{"webhooks": map[string]any{"other": map[string]any{"endpoint": "https://a.example", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}}, "webhooks::other: no receiver of this name"},
	} {
		_, err := load(t, "alertmanager/file", one.change)
		require.ErrorContains(t, err, one.says)
	}
}

func TestConfig_PrintsNoSecret(t *testing.T) {
	t.Parallel()
	config := createDefaultConfig().(*Config)
	config.Inline = map[string]any{"receivers": []any{map[string]any{"name": "a", "pagerduty_configs": []any{map[string]any{"routing_key": "hunter2"}}}}}
	printed := confmap.New()
	require.NoError(t, printed.Marshal(map[string]any{"alertmanager": config}))
	shown := map[string]any{"receivers": []any{map[string]any{"name": "[REDACTED]", "pagerduty_configs": []any{map[string]any{"routing_key": "[REDACTED]"}}}}}
	assert.Equal(t, shown, printed.Get("alertmanager::config"))
	assert.Equal(t, 1, strings.Count(fmt.Sprint(printed.ToStringMap()), "retry_on_failure"), "other keys are there")
	source, err := config.source()
	require.NoError(t, err)
	assert.Contains(t, source.Content, "routing_key: hunter2", "Alertmanager gets it")
}
