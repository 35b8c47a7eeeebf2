// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package wsmetricsconnector converts window records to metrics, and
// ignores other records. It has no state: a window holds everything that its metrics need.
package wsmetricsconnector
