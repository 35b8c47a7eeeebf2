// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the tests that start the built collector against the
// simulator and real servers, and check what comes out. They have the build tag
// e2e, because they need what make e2e builds first: the binaries in bin/.
//
// Every server listens on loopback, on a free port, and ends with its test.
package e2e
