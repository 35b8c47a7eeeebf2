// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
)

func TestATokenExpires(t *testing.T) {
	t.Parallel()
	config := config.Default()
	config.TokenTTL = time.Minute
	issued := NewTokens(&config)
	now := time.Now()
	token := issued.Issue("client", now)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)

	_, ok := issued.ofRequest(request, now.Add(59*time.Second))
	assert.True(t, ok)
	_, ok = issued.ofRequest(request, now.Add(time.Minute))
	assert.False(t, ok)
	issued.Issue("client", now.Add(time.Hour))
	assert.Len(t, issued.grants, 1, "expired tokens are forgotten")
}
