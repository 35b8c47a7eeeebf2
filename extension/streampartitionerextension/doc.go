// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package streampartitionerextension lets the kafka exporter put all records of a
// stream into one partition.
//
// The exporter can by itself only go by all attributes of a resource, the channel
// type among them, which would scatter a stream over partitions. It asks an
// extension if it is configured.
package streampartitionerextension
