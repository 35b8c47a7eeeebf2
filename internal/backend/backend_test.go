// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

// The status has the error of now, and not that of when the database began to fail.
func TestStatus(t *testing.T) {
	t.Parallel()
	host := componenttest.NewHost(nil)
	s := Status{Host: host}
	s.Report(nil)
	assert.Nil(t, host.LastEvent())
	for range 2 {
		s.Report(errors.New("moved"))
		require.EqualError(t, host.LastEvent().Err(), "moved")
	}
	s.Report(errors.New("busy"))
	require.EqualError(t, host.LastEvent().Err(), "busy")
	s.Report(nil)
	s.Report(nil)
	assert.Equal(t, []componentstatus.Status{
		componentstatus.StatusRecoverableError, componentstatus.StatusRecoverableError, componentstatus.StatusOK,
	}, host.Statuses())
}
