// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package deadletter keeps what nobody took, in a file that does not grow without
// end.
package deadletter
