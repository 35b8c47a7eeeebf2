// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is older than 90 days is deleted once newer windows have come, and what is younger stays. The database compares with the time of
// the newest block, which is the moved clock of this test.
func TestRetention_90Days(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	f := open(t, t.TempDir())
	now := time.Now().Truncate(time.Hour)
	ages := map[time.Duration]bool{95 * day: false, 91 * day: false, 89 * day: true, 30 * day: true, 6 * time.Hour: true, 0: true}
	for _, age := range []time.Duration{95 * day, 91 * day, 89 * day, 30 * day, 6 * time.Hour, 0} {
		f.store(t, "ws.active_connections", now.Add(-age), age.Hours(), "us-east-1")
	}
	for range 2 { // the head becomes blocks, and the oldest blocks are deleted
		require.NoError(t, f.db.Compact(t.Context()))
	}
	for age, kept := range ages {
		assert.Equal(t, kept, len(f.query(t, "ws_active_connections", now.Add(-age))) == 1, "%v old", age)
	}
}
