// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package wsmetricsconnector turns window records, and nothing else, into
// metrics. It keeps no state: a window says everything that its metrics need.
package wsmetricsconnector
