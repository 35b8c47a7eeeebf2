// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package window turns events into throughput windows, in event time.
//
// The parts, from the small to the large:
//
//   - a grid says which windows hold a moment, and cuts time into panes, the
//     pieces between two neighbouring boundaries. An event is counted once, in
//     its pane; a window is the sum of its panes.
//   - a channel is what is remembered of one connection.
//   - a series (tenant, region, channel type) owns panes, channels and totals.
//   - a stream (tenant, region) owns the watermark its series share, and what is
//     known about times when it was not received.
//   - the Engine holds them all, within bounds.
//
// The package is pure: time is an argument, in unix milliseconds, and nothing
// here starts a goroutine or takes a lock.
package window
