// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		want   *Config  // of a good one
		errors []string // of a bad one
	}{
		"": {want: &Config{
			Tolerance: 200 * time.Millisecond, Misaligned: 500 * time.Millisecond, Interval: 10 * time.Second, MaxStreams: 2000,
		}},
		"all": {want: &Config{
			Tolerance: 100 * time.Millisecond, Misaligned: time.Second, Interval: 30 * time.Second, Correct: true,
			RestartAfter: 10 * time.Minute, MaxStreams: 50, Reference: ReferenceConfig{NTP: "time.example.com:1123"},
		}},
		"no_tolerance":                {errors: []string{"tolerance: 0s: must be at least 1ms"}},
		"misaligned_within_tolerance": {errors: []string{"misaligned: 100ms: must be at least tolerance (200ms)"}},
		"interval":                    {errors: []string{"interval: 500ms: must be at least 1s"}},
		"restart_without_reference":   {errors: []string{"restart_after: 5m0s: needs reference::ntp"}},
		"restart_in_the_past":         {errors: []string{"restart_after: -5m0s: must not be negative"}},
		"streams":                     {errors: []string{"max_streams: 0: must be at least 1"}},
		"ntp_url":                     {errors: []string{`reference::ntp: "ntp://time.example.com": must be host or host:port`}},
		"ntp_port":                    {errors: []string{`reference::ntp: "time.example.com:ntp": the port must be a number`}},
		"ntp_nobody":                  {errors: []string{`reference::ntp: ":123": must be host or host:port`}},
		"ntp_v6": {want: &Config{
			Tolerance: 200 * time.Millisecond, Misaligned: 500 * time.Millisecond, Interval: 10 * time.Second, MaxStreams: 2000,
			RestartAfter: 5 * time.Minute, Reference: ReferenceConfig{NTP: "2001:db8::1"},
		}},
		"restart_off": {want: &Config{
			Tolerance: 200 * time.Millisecond, Misaligned: 500 * time.Millisecond, Interval: 10 * time.Second, MaxStreams: 2000,
			Reference: ReferenceConfig{NTP: "time.example.com"},
		}},
		"two_at_once": {errors: []string{"tolerance: -1s", "interval: 0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
			require.NoError(t, err)
			config := createDefaultConfig().(*Config)
			require.NoError(t, section.Unmarshal(config))
			err = config.Validate()
			if c.want != nil {
				require.NoError(t, err)
				assert.Equal(t, c.want, config)
			}
			for _, message := range c.errors {
				assert.ErrorContains(t, err, message)
			}
		})
	}
}
