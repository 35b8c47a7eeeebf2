// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package regularfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	path, link := filepath.Join(directory, "file"), filepath.Join(directory, "link")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	require.NoError(t, os.Symlink(path, link))
	for _, name := range []string{path, link} {
		text, err := Read(name, 4)
		require.NoError(t, err)
		assert.Equal(t, "text", string(text))
	}
	_, err := Read(path, 3)
	require.EqualError(t, err, "read "+path+": is longer than 3 bytes")
	_, err = Read(directory, 3)
	require.ErrorIs(t, err, ErrDirectory)
	_, err = Read(filepath.Join(directory, "none"), 3)
	require.ErrorIs(t, err, os.ErrNotExist)
}
