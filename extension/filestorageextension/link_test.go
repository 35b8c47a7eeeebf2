// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package filestorageextension

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A symbolic link in the state directory is set aside when what it leads to is no database; its target is not changed.
func TestFileStorage_LinkToAnotherFile(t *testing.T) {
	t.Parallel()
	directory, target := kept(t), filepath.Join(t.TempDir(), "other")
	content := make([]byte, 32<<10)
	require.NoError(t, os.WriteFile(target, content, 0o600))
	link := filepath.Join(directory, "processor_ws_window_")
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(target, link))

	files, logs := startOn(t, directory)
	require.Equal(t, 1, logs.Len(), logs.All())
	c := client(t, files, windows)
	require.NoError(t, c.Set(t.Context(), "key", []byte("value")))
	require.NoError(t, c.Close(t.Context()))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular(), "a new file is in its place")
	after, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, content, after)
}

// Links that lead nowhere, to a directory or to a device are not opened by the check.
func TestFileStorage_LinkToNoFile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for name, target := range map[string]string{
		"connector_alert_": filepath.Join(t.TempDir(), "absent"), "processor_ws_window_": t.TempDir(), "exporter_webhook_": os.DevNull,
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(directory, name)))
	}
	_, logs := startOn(t, directory)
	assert.Empty(t, logs.All())
}
