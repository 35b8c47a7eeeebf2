// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package spelling

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"endpoint", "tenant_id", "ws.drop_rate", "ws.clock.skew", "timeout"}
	for name, want := range map[string]string{
		"endpont": "endpoint", "tenantId": "tenant_id", "tenant-id": "tenant_id", "ws.droprate": "ws.drop_rate", "ws_clock_skew": "ws.clock.skew", "tiemout": "timeout",
	} {
		nearest, near := Nearest(name, known)
		assert.Equal(t, want, nearest, name)
		assert.True(t, near, name)
	}
	_, near := Nearest("certificates", known)
	assert.False(t, near)
	_, near = Nearest("a", nil)
	assert.False(t, near)
}
