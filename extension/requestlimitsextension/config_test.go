// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestlimitsextension

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/requestlimitsextension/internal/metadata"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		want   *Config
		errors []string
	}{
		"": {want: createDefaultConfig().(*Config)},
		"all": {want: &Config{
			MaxBodyBytes: 1 << 20, MaxInflightBytes: 4 << 20, MaxMessages: 1000, MaxDepth: 16, MaxAttributes: 32,
			MaxConcurrentRequests: 2, MaxWaitingRequests: 0, ReadTimeout: 10 * time.Second,
		}},
		"invalid": {errors: []string{
			"max_body_bytes: 0: must be at least 1",
			"max_inflight_bytes: 1000: must be at least 1048576",
			"max_messages: 0: must be at least 1",
			"max_depth: 7: must be from 8 to 1000",
			"max_attributes: 0: must be at least 1",
			"max_concurrent_requests: 0: must be at least 1",
			"max_waiting_requests: -1: must be at least 0",
			"read_timeout: 10ms: must be at least 1s",
		}},
		"unbounded_depth": {errors: []string{"max_depth: 1001: must be from 8 to 1000"}},
		"no_unit":         {errors: []string{"read_timeout: 30: has no unit"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
			require.NoError(t, err)
			got := createDefaultConfig()
			err = section.Unmarshal(got)
			if err == nil {
				err = got.(*Config).Validate()
			}
			if c.want != nil {
				require.NoError(t, err)
				assert.Equal(t, c.want, got)
			}
			for _, message := range c.errors {
				assert.ErrorContains(t, err, message)
			}
		})
	}
}
