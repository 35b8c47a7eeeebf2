// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The package has what the systemd unit starts and reads, and the secrets' file is
// root's alone.
func TestPackage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		skip(t, "dpkg-deb, which reads the package, is not installed")
	}
	packages, err := filepath.Glob("../build/packages/*_" + runtime.GOARCH + ".deb")
	require.NoError(t, err)
	require.Len(t, packages, 1, "make packages builds it")
	folder := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "-x", packages[0], folder).CombinedOutput()
	require.NoError(t, err, string(out))

	service := settings(t, filepath.Join(folder, "usr/lib/systemd/system/otelcol-ccaas.service"), "Service")
	start := strings.Fields(service["ExecStart"][0])
	require.Len(t, start, 3)
	binary, config := filepath.Join(folder, start[0]), filepath.Join(folder, start[2])
	command := exec.CommandContext(t.Context(), binary, "validate", "--config", config)
	command.Env = append(os.Environ(), "CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret") // what only the user knows
	out, err = command.CombinedOutput()
	require.NoError(t, err, string(out))

	replayed, err := exec.CommandContext(t.Context(), filepath.Join(folder, "usr/bin/alertreplay"), "--help").CombinedOutput()
	assert.Contains(t, string(replayed), "-connector", "%v", err)

	environment := filepath.Join(folder, strings.TrimPrefix(service["EnvironmentFile"][0], "-"))
	file, err := os.Stat(environment)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), file.Mode().Perm())
	text, err := os.ReadFile(environment)
	require.NoError(t, err)
	var set []string
	for line := range strings.Lines(string(text)) {
		if name, _, isSetting := strings.Cut(line, "="); isSetting && line[0] != '#' {
			set = append(set, name)
		}
	}
	require.NotEmpty(t, set)
	assertRead(t, config, set)

	control, err := exec.CommandContext(t.Context(), "dpkg-deb", "--info", packages[0], "conffiles").CombinedOutput()
	require.NoError(t, err, string(control))
	assert.Contains(t, string(control), "/etc/otelcol-ccaas/config.yaml", "an upgrade leaves what the user has written")
}
