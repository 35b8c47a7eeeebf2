// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A second collector on the directory of a first is refused by name, and the first goes
// on.
func TestFaultStateTwoProcessesOnOneDirectory(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Sessions, c.Announce = 150, 60, true })
	first := startFaultQuickstart(t, platform, "kill.yaml")
	first.connected(t)
	began := time.Now()
	second := prepareFaultQuickstart(t, platform, "kill.yaml", "CCAAS_DATA="+first.data)
	second.restart(t)
	eventually(t, func() error {
		if second.ended() == nil {
			return errors.New("the second collector runs")
		}
		return nil
	})
	took := time.Since(began)
	assert.NoError(t, second.says("Error: "))
	assert.NoError(t, second.says(filepath.Join(first.data, "metrics")))
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	eventually(t, func() error { return first.store.disagreement(platform.Truth(), "") })
	assert.NotContains(t, first.output.String(), "\terror\t")
	measured(t, "the second one ends after %.1f s, and names the directory; the totals of the first are exact", took.Seconds())
}

// On a directory that cannot be written the quick start does not begin, and says which
// one it is, and why.
func TestFaultStateReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Sessions, c.Announce = 150, 60, true })
	for _, folder := range []string{"metrics", "state"} {
		q := prepareFaultQuickstart(t, platform, "kill.yaml")
		path := filepath.Join(q.data, folder)
		require.NoError(t, os.MkdirAll(path, 0o700))
		q.inNamespace(t, fmt.Sprintf("mount -t tmpfs -o ro none '%s' && ", path))
		eventually(t, func() error {
			if q.ended() == nil {
				return errors.New("the collector runs")
			}
			return nil
		})
		assert.NoError(t, q.says("Error: "))
		assert.NoError(t, q.says(path))
		assert.NoError(t, q.says("read-only file system"))
		assert.NotContains(t, q.output.String(), "panic")
	}
	measured(t, "refused at the start, with the directory and why")
}
