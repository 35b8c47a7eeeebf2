// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package wswindowprocessor counts event records in windows of event time. The
// events pass through untouched; for every window that has ended, and for every
// series that has something to tell, a window record is added to what flows
// downstream.
//
// This package is the plumbing: it reads the few facts a window needs out of the
// records, and writes the windows out. The counting is in internal/window.
package wswindowprocessor
