// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package ccaaskafkareceiver reads event records from the partitions of a Kafka
// topic. Behind it stands the ws_window processor, which keeps the state of its
// windows with the partition (see partition.Partition).
//
// The collectors of a group share the partitions out. A collector that gets one
// claims it by the transactional id of the partition, which shuts out whoever had
// it before, reads the state, and goes on at the position that was saved with it.
// State and position are saved in one transaction.
package ccaaskafkareceiver
