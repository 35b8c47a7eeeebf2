// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package dashboardextension keeps metrics in an embedded Prometheus database, or reads
// those of an outside one, answers the Prometheus query API, and serves the live page.
//
// This package is the plumbing: what may be asked and by whom. The database is in
// internal/store, what is answered once for all viewers in internal/cache, the page in
// internal/page.
package dashboardextension
