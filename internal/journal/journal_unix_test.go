// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package journal

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// To open a pipe waits for its writer; a start must not.
func TestRead_Pipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, _, err := Read(path)
	require.ErrorContains(t, err, path+": p")
	require.ErrorContains(t, err, "must be a regular file")
}
