// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build distribution

// This file is copied beside the main package that ocb generates; make build does it.

package main

import "go.opentelemetry.io/collector/featuregate"

// init lets health_check tell what the components report, not just that the
// process is up: a stream that cannot be watched must show. It can be switched
// back with --feature-gates=-extension.healthcheck.useComponentStatus.
func init() {
	if err := featuregate.GlobalRegistry().Set("extension.healthcheck.useComponentStatus", true); err != nil {
		panic(err)
	}
}

// init lets prometheus_remote_write retry what a backend answers with 429: a backend that is busy loses nothing.
func init() {
	if err := featuregate.GlobalRegistry().Set("exporter.prometheusremotewritexporter.RetryOn429", true); err != nil {
		panic(err)
	}
}
