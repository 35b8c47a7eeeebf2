// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSchema_PlainPostgreSQLIsPartitioned(t *testing.T) {
	t.Parallel()
	plain, timescale := Create(Options{}), Create(Options{Timescale: true})
	assert.Equal(t, len(Tables), strings.Count(plain, partitioning))
	assert.NotContains(t, plain, "hypertable")
	assert.NotContains(t, timescale, partitioning)
	assert.Equal(t, len(Tables), strings.Count(timescale, "SELECT create_hypertable("))
}

func TestSchema_PoliciesFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	assert.Empty(t, Policies(Options{Timescale: true}), "the Apache edition has no jobs")
	kept := Policies(Options{Timescale: true, Policies: true})
	assert.NotContains(t, kept, "add_retention_policy")
	assert.Equal(t, len(Tables), strings.Count(kept, "remove_retention_policy"))
	day := Policies(Options{Timescale: true, Policies: true, Retention: 24 * time.Hour})
	assert.Equal(t, len(Tables), strings.Count(day, "INTERVAL '86400 seconds'"))
}

func TestPartition(t *testing.T) {
	t.Parallel()
	moment := time.Date(2024, 5, 13, 23, 59, 59, 0, time.UTC)
	p := PartitionAt("ws_metrics", moment.UnixMilli())
	assert.Equal(t, "CREATE TABLE IF NOT EXISTS ws_metrics_p20240513 PARTITION OF ws_metrics "+
		"FOR VALUES FROM ('2024-05-13 00:00:00Z') TO ('2024-05-14 00:00:00Z')", p.Create())
	again, ok := ParsePartition("ws_metrics", p.Name())
	assert.True(t, ok)
	assert.Equal(t, p, again)
	for _, name := range []string{"ws_metrics", "ws_metrics_default", "other_p20240513", "ws_metrics_extra_p20240513"} {
		_, ok := ParsePartition("ws_metrics", name)
		assert.False(t, ok, name)
	}
	end := time.Date(2024, 5, 14, 0, 0, 0, 0, time.UTC)
	assert.False(t, p.ExpiredAt(end.Add(47*time.Hour), 48*time.Hour))
	assert.True(t, p.ExpiredAt(end.Add(48*time.Hour), 48*time.Hour))
	assert.False(t, p.ExpiredAt(end.Add(1e6*time.Hour), 0), "0 keeps all")
}
