// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package dashboardextension stores metrics in an embedded Prometheus database, or reads
// those of an external one, serves the Prometheus query API, and serves the live page.
//
// This package has the server, its limits and its access checks. The database is in
// internal/store, the response cache in internal/cache, the page in internal/page.
package dashboardextension
