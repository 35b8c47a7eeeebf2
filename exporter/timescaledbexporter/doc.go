// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package timescaledbexporter writes metrics into TimescaleDB or PostgreSQL.
//
// internal/rows converts data points into rows, internal/schema holds the SQL of the tables; this package connects,
// creates the tables and writes.
package timescaledbexporter
