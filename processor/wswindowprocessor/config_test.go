// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	defaults := func(change func(*Config)) *Config {
		config := createDefaultConfig().(*Config)
		change(config)
		return config
	}
	grace := time.Second
	storage := component.MustNewID("file_storage")
	for name, expected := range map[string]struct {
		config *Config
		errors []string
	}{
		"": {config: defaults(func(*Config) {})},
		"all": {config: &Config{
			Size: time.Minute, Overlap: 30 * time.Second, AllowedLateness: 5 * time.Second, IdleTimeout: 3 * time.Second,
			MaxFuture: time.Minute, MaxSeries: 10, MaxSeriesPerTenant: 3, SeriesTTL: 24 * time.Hour, MaxChannels: 1000, ChannelTTL: time.Hour, ReopenGrace: &grace, SeriesIdle: time.Minute,
			PassThrough: false, Storage: &storage, CheckpointInterval: 30 * time.Second,
			Sessions: SessionsConfig{
				Enabled: true, SampleRatio: 0.5, ExemplarsPerWindow: 3, RecorderEvents: 0, Segment: 30 * time.Minute, ReconnectWithin: time.Minute,
				UserID: userPseudonym, PseudonymKey: "0123456789abcdef",
			},
		}},
		"sessions": {errors: []string{
			"sessions::sample_ratio: 1.5: must be at least 0 and at most 1", "sessions::exemplars_per_window: 101", "sessions::recorder_events: -1",
			"sessions::segment: 1s: must be at least 1m", "sessions::reconnect_within: 2h0m0s", "sessions::user_id: name: must be none, pseudonym or full",
		}},
		"pseudonym":      {errors: []string{"sessions::pseudonym_key: 5 bytes: must be at least 16 bytes with user_id: pseudonym"}},
		"tumbling":       {config: defaults(func(c *Config) { c.Overlap = 0 })},
		"overlap":        {errors: []string{"overlap: 10s: must be at least 0s and less than size (10s)"}},
		"many_windows":   {errors: []string{"overlap: 9.95s: puts an event in more than 100 windows; size - overlap must be at least 100ms"}},
		"tiny":           {errors: []string{"size: 10ms: must be at least 100ms"}},
		"microseconds":   {errors: []string{"size: 1.0005s: must be a multiple of 1ms"}},
		"negative":       {errors: []string{"allowed_lateness: -1s", "idle_timeout: -1s", "max_future: -1s", "series_idle: -1s"}},
		"grace":          {errors: []string{"reopen_grace: 1h0m0s: must be at least 0s and at most 10m0s"}},
		"far_future":     {errors: []string{"max_future: 48h0m0s: must be at most 24h"}},
		"no_bounds":      {errors: []string{"max_series: 0", "max_channels: 0", "channel_ttl: 0s"}},
		"series":         {errors: []string{"series_ttl: 1m0s: must be 0s or at least 1m and series_idle (5m0s)", "max_series_per_tenant: -1"}},
		"for_ever":       {config: defaults(func(c *Config) { c.SeriesTTL = 0 })},
		"no_checkpoints": {errors: []string{"checkpoint_interval: 10ms: must be at least 1s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
			require.NoError(t, err)
			section, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
			require.NoError(t, err)
			config := createDefaultConfig()
			require.NoError(t, section.Unmarshal(config))
			err = config.(*Config).Validate()
			if expected.config != nil {
				require.NoError(t, err)
				assert.Equal(t, expected.config, config)
				return
			}
			for _, text := range expected.errors {
				require.ErrorContains(t, err, text)
			}
		})
	}
}
