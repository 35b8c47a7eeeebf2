// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package ccaaswsreceiver reads the events of a contact centre platform from
// WebSockets, and makes a log record of each.
//
// This package is the plumbing: configuration, lifecycle, records and their way
// downstream. What a platform is stands in internal/platform, how a socket is kept
// alive in internal/wsclient, what a frame says in internal/jsonevent.
package ccaaswsreceiver
