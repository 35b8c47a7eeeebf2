// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package eventstore

import "golang.org/x/sys/unix"

// freeBytes is how much can still be written to the disk of a directory.
func freeBytes(directory string) (free int64, known bool) {
	var stat unix.Statfs_t
	if err := unix.Statfs(directory, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true //nolint:gosec,unconvert // the types differ between systems
}
