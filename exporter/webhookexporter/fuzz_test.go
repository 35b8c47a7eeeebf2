// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadata"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

// Whatever a configuration holds, it is refused, or the component can be made of it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		_, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
		require.NoError(t, err)
	},
		"{ endpoint: 'https://a.example.com', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw }",
		"{ endpoint: 'http://127.0.0.1:1', format: template, template: { body: '{{ toJSON .Body.a }}', variables: { a: b } } }",
		"{ endpoint: 'http://127.0.0.1:1', format: alertmanager, sending_queue: { enabled: false }, retry_on_failure: { max_elapsed_time: 1s } }",
	)
}
