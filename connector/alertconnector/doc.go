// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package alertconnector evaluates alerting rules on metrics. It emits a log record
// when an alert starts firing and when it is resolved, and the baselines, thresholds
// and firing states as metrics.
//
// This package groups data points into windows, writes alerts and stores the state.
// internal/engine evaluates the rules.
package alertconnector
