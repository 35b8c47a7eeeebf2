// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

// access accepts every directory: rights are not known before a file is created.
func access(string) error { return nil }
