// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package ccaaswsreceiver reads the events of a contact centre platform from WebSockets,
// and emits a log record of each.
//
// The data path: connection.go (callbacks of a session), batcher.go (frames to batches),
// records.go (events to log records), dedup.go, delivery.go (batches to the next
// consumer). internal/api has what depends on the platform, internal/wsclient the
// WebSocket connection, internal/jsonevent the decoder of frames.
package ccaaswsreceiver
