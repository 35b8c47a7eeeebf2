// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rabbitstream is a client of RabbitMQ's stream protocol, for RabbitMQ 3.9 and
// newer.
//
// Every wait has a deadline or a context, so that a broker that stops to respond is an
// error. A connection does not reconnect: after its first error the caller dials again,
// and knows therefore what was confirmed on which connection. docs/adr/0022 says why RabbitMQ's own
// client is not used.
package rabbitstream
