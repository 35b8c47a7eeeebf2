// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSupported(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"3.9.0", "3.10.8", "4.1.2", "10.0.0", "4.2.0-rc.1", "", "next"} {
		require.NoError(t, supported(version), version)
	}
	for _, version := range []string{"3.8.9", "3.8.0-beta.1", "2.8.7"} {
		err := supported(version)
		assert.EqualError(t, err, "RabbitMQ "+version+" has no streams: upgrade it to 3.9 or newer")
	}
}
