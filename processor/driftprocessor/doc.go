// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package driftprocessor measures how far the clock of a platform is from ours, by
// the lag of the events that pass. It reports them in records of its own,
// flags the events of a clock that is far off, and corrects their time when asked to.
//
// This package is the plumbing: it compares two timestamps of each event, and once a
// second updates the estimates. The measuring is in
// internal/skew.
package driftprocessor
