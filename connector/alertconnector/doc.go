// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package alertconnector applies rules to metrics, and tells by log records when
// an alert begins to fire and when it is resolved. It also tells, as metrics, where
// baselines and thresholds stand.
//
// This package is the plumbing: it finds windows among data points, writes alerts,
// and keeps the state. The rules are applied in internal/engine.
package alertconnector
