// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package driftprocessor measures the offset of a platform's clock from ours, by the lag
// of the events that pass. It reports the offset in its own records, flags the events of a
// misaligned clock, and optionally corrects their time.
//
// This package is the component: it compares two timestamps of each event, and updates
// the estimates once a second. The measurement is in internal/skew.
package driftprocessor
