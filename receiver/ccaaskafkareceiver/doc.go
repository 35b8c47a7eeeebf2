// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package ccaaskafkareceiver reads event records from the partitions of a Kafka
// topic. The ws_window processor follows it in the pipeline, and keeps the state of its
// windows with the partition (see partition.Partition).
//
// The group assigns the partitions to its collectors. A collector claims an assigned
// partition by the transactional id of the partition, which fences the previous owner,
// reads the state, and resumes at the position that was saved with it.
// State and position are saved in one transaction.
package ccaaskafkareceiver
