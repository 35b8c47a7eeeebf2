// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package regularfile

// nonBlocking is not needed: named pipes are not among the files here.
const nonBlocking = 0
