// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package streampartitionerextension makes the kafka exporter put all records of
// a stream into one partition.
//
// By itself the exporter partitions by all attributes of a resource, the channel type
// included, which would scatter a stream over partitions. It uses an extension where one is
// configured.
package streampartitionerextension
