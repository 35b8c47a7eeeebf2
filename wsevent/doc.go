// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package wsevent holds the names and types that the components share: the types of
// event records, their attributes, and the throughput window. It imports the standard
// library only; package wslog has the encoding.
//
// An event record is a log record for one event on a platform's WebSocket (a connection
// opened, a message was sent). Its dimensions (tenant, region, channel type) are
// attributes of the resource, everything else of the record. A window record is a log
// record whose body is a finished throughput window. Both are plain OTLP, so a pipeline
// may be cut anywhere between two components.
package wsevent
