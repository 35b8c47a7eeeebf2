// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package regularfile

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nobody writes to the pipe: the read would block for ever.
func TestRead_NamedPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	for _, name := range []string{path, "/dev/null"} {
		_, err := Read(name, 1)
		require.ErrorIs(t, err, ErrNotRegular)
	}
}
