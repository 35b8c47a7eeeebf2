// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package partitioned reads event records from the partitions of a broker, for the
// receivers ccaas_kafka and ccaas_rabbitmq. The ws_window processor follows in the pipeline,
// and keeps the state of its windows with the partition (see partition.Partition).
//
// What is the same for all brokers is here: a partition is claimed, its state is restored,
// it is read from the position that was saved with the state, and after any error all of
// that begins anew. A Log is what a broker has to provide.
package partitioned
