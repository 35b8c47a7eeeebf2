// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

// Whatever a configuration holds, it is refused, or the component can be made of it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		_, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), config)
		require.NoError(t, err)
	},
		"{ store: { directory: a, retention: 1h } }",
		"{ endpoint: '0.0.0.0:1', allow_insecure: true, prometheus: { endpoint: 'http://a:1/b' }, query: { max_range: 1h } }",
	)
}
