// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package wswindowprocessor counts event records in windows of event time. The
// events pass through unchanged; for every window that has closed, and for every series
// that has something to report, a window record is added to the output.
//
// This package is the component: it reads what the windows need from the records, and
// writes the windows. The counting is in internal/window.
package wswindowprocessor
