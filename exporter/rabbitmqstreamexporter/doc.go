// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package rabbitmqstreamexporter publishes log records to RabbitMQ streams, each batch
// once.
//
// The messages of a batch get publishing ids before they are published, and keep them
// until they are confirmed: over retries, other connections and, with a storage, over
// restarts. Nothing else is published meanwhile. So the broker recognises what it has
// written already.
package rabbitmqstreamexporter
