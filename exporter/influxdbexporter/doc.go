// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package influxdbexporter writes metrics into InfluxDB 1, 2 and 3 by line protocol.
package influxdbexporter
