// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rabbitstream is a client of RabbitMQ's stream protocol, for RabbitMQ 3.9 and
// newer.
//
// Every wait has a deadline or a context, so that a broker that stops to respond is an
// error. A connection does not reconnect: after its first error the caller dials again,
// and knows therefore what was confirmed on which connection. The public client of the
// protocol reconnects by itself, without an end, writes without a deadline and does not
// return the time of a chunk.
package rabbitstream
