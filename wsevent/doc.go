// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package wsevent holds the names that the components share: the types of
// event records, their attributes, and the window record with its coding.
//
// An event record is a log record for one thing that happened on a platform's
// WebSocket (a connection opened, a message was sent). Its dimensions (tenant,
// region, channel type) stand on the resource, everything else on the record. A
// window record is a log record whose body is a finished throughput window. Both
// are plain OTLP, so a pipeline may be cut anywhere between two components.
package wsevent
