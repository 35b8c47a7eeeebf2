// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		check  func(*testing.T, *Config) // of a good one
		errors []string                  // of a bad one
	}{
		"": {check: func(t *testing.T, c *Config) {
			assert.Equal(t, "localhost:3080", c.ServerConfig.NetAddr.Endpoint)
			assert.Equal(t, 10*time.Second, c.ServerConfig.ReadHeaderTimeout)
			assert.Equal(t, 30*time.Second, c.ServerConfig.ReadTimeout)
			assert.Equal(t, time.Minute, c.ServerConfig.WriteTimeout)
			assert.Equal(t, time.Minute, c.ServerConfig.IdleTimeout)
			assert.Equal(t, StoreConfig{
				Directory: "/var/lib/otelcol-ccaas/dashboard", Retention: 2160 * time.Hour,
				OutOfOrderWindow: 24 * time.Hour, MaxSeries: 400_000, MinFreeBytes: 128 << 20,
			}, *c.Store.Get())
			assert.Equal(t, QueryConfig{
				Timeout: 30 * time.Second, MaxSamples: 5_000_000, MaxConcurrent: 4, MaxRange: 8784 * time.Hour, CacheBytes: 32 << 20,
			}, c.Query)
			assert.Equal(t, WindowConfig{Size: 10 * time.Second, Overlap: time.Second, Offset: 2 * time.Second}, c.Window)
			assert.Empty(t, c.deprecated)
		}},
		"all": {check: func(t *testing.T, c *Config) {
			assert.True(t, c.ServerConfig.TLS.HasValue())
			assert.Equal(t, []string{"dashboard.example.com"}, c.AllowedHosts)
			assert.Equal(t, StoreConfig{
				Directory: "data", Retention: 720 * time.Hour, MaxBytes: 1 << 30, OutOfOrderWindow: time.Hour, MaxSeries: 500,
			}, *c.Store.Get())
			assert.Equal(t, QueryConfig{Timeout: 10 * time.Second, MaxSamples: 1000, MaxConcurrent: 2, MaxRange: 24 * time.Hour}, c.Query)
			assert.Equal(t, WindowConfig{Size: 5 * time.Second, Offset: 3 * time.Second}, c.Window)
			assert.Equal(t, []string{"window::size", "window::overlap"}, c.deprecated)
		}},
		"mimir": {check: func(t *testing.T, c *Config) {
			assert.False(t, c.Store.HasValue())
			assert.Equal(t, "http://mimir:9009/prometheus", c.Prometheus.Get().Endpoint)
			tenant, _ := c.Prometheus.Get().Headers.Get("X-Scope-OrgID")
			assert.Equal(t, "acme", string(tenant))
		}},
		"insecure":          {check: func(t *testing.T, c *Config) { assert.False(t, c.onLoopback()) }},
		"off_host":          {errors: []string{"endpoint: 0.0.0.0:3080: other machines reach it", "allow_insecure: true"}},
		"all_addresses":     {errors: []string{"endpoint: :3080: other machines reach it"}},
		"no_endpoint":       {errors: []string{`endpoint: ""`}},
		"nothing":           {errors: []string{"store::directory: must be set"}},
		"no_directory":      {errors: []string{`store::directory: ""`}},
		"both":              {errors: []string{"store, prometheus: only one of them"}},
		"alertmanager_host": {errors: []string{`alertmanager::endpoint: "localhost:9093": must be a URL`}},
		"prometheus_host":   {errors: []string{`prometheus::endpoint: "mimir:9009": must be a URL`}},
		"bad_store": {errors: []string{
			"store::retention: 1h0m0s", "store::max_bytes: -1", "store::out_of_order_window: 2h0m0s: must be from 0s to retention (1h0m0s)",
			"store::max_series: 0", "store::min_free_bytes: -1",
		}},
		"bad_query": {errors: []string{
			"query::timeout: 0s", "query::max_samples: 0", "query::max_concurrent: 0", "query::max_range: 1m0s", "query::cache_bytes: -1",
		}},
		"events": {check: func(t *testing.T, c *Config) {
			assert.Equal(t, EventsConfig{
				Directory: "events", Retention: 24 * time.Hour, MaxBytes: 10 << 30, MinFreeBytes: 512 << 20, EraseToken: "0123456789abcdef",
			}, *c.Events.Get())
			assert.Equal(t, []LinkConfig{{Name: "Loki", URL: "https://grafana.example.com/explore?from={start}&to={end}&tenant={tenant_id}"}}, c.Links)
		}},
		"bad_events": {errors: []string{
			`events::directory: ""`, "events::retention: 59m0s: must be from 1h to 744h0m0s", "events::max_bytes: -1", "events::min_free_bytes: -1",
			"events::erase_token: 5 characters: must have at least 16",
			`links::0::name: ""`, `links::0::url: "grafana"`, `links::1::url: {from}: is not known; known are {start}, {end}`, `links::2::url: "javascript://x"`,
		}},
		"same_directory": {errors: []string{"events::directory: data: must not be store::directory"}},
		"bad_window":     {errors: []string{"window::size: 0s", "window::overlap: 1s", "window::offset: -1s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
			require.NoError(t, err)
			config := createDefaultConfig().(*Config)
			require.NoError(t, section.Unmarshal(config))
			err = config.Validate()
			if c.check != nil {
				require.NoError(t, err)
				c.check(t, config)
			}
			for _, message := range c.errors {
				assert.ErrorContains(t, err, message)
			}
		})
	}
}

func TestShownURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"localhost:9093":                  `"localhost:9093"`,
		"ftp://me:hunter2@example.com/{x": `"ftp://me:xxxxx@example.com/%7Bx"`,
		"me:hunter2@example.com":          "(not shown, as it may have a password)",
		"http://me:hun/ter2@example.com":  "(not shown, as it may have a password)",
		"http://me:hunter2@example:port":  "(not shown, as it may have a password)",
	} {
		assert.Equal(t, want, shown(text))
	}
}
