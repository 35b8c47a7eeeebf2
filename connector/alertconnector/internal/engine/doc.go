// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package engine applies rules to the series of metrics, window by window.
//
// It finds the samples of a rule among the windows of a batch, keeps for each
// series its baseline and the state of its alerts, and says what has to be told.
// Times are unix ms, and the wall clock is an argument. It is not safe for
// concurrent use.
package engine
