// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package doctor

import "golang.org/x/sys/unix"

// access returns an error unless this user can create files in a directory.
func access(directory string) error { return unix.Access(directory, unix.W_OK|unix.X_OK) }
