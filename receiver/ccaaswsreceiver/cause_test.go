// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// ws_window knows by this word that a receiver has ended.
func TestShutdownCause_EqualsConstantOfRecords(t *testing.T) {
	t.Parallel()
	assert.Equal(t, wsevent.CauseShutdown, string(wsclient.Shutdown))
}
