// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package elasticsearchbulkexporter writes log records, raw events and windows above all, into Elasticsearch or
// OpenSearch by the bulk API. internal/bulk holds the format of requests and responses.
package elasticsearchbulkexporter
