// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page on operations says of each of our own metrics when to worry.
func TestValidateOperations(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	metrics := 0
	for _, component := range matching(t, "../*/*/metadata.yaml") {
		var metadata struct {
			Telemetry struct {
				Metrics map[string]any
			}
		}
		readYAML(t, component, &metadata)
		for name := range metadata.Telemetry.Metrics {
			metrics++
			assert.Contains(t, string(page), "`"+name+"`", "of %s", component)
		}
	}
	require.Positive(t, metrics)
}
