// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package ccaasrabbitmqreceiver reads event records from RabbitMQ streams, of which each
// is a partition. The ws_window processor follows it in the pipeline, and keeps the state of
// its windows with the partition (see partition.Partition).
//
// The collectors of a group share the partitions: a partition belongs to the collector that
// has declared the exclusive queue of its name. A queue may be lost to another collector
// at any time, so ownership that counts is that of the state stream: see package statestream.
package ccaasrabbitmqreceiver
