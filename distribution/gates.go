// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Program otelcol-ccaas is a Collector with the components that builder-config.yaml lists.
package main

//go:generate sh generate.sh

import "go.opentelemetry.io/collector/featuregate"

// init makes health_check report the status of the components, not only that the
// process runs. --feature-gates=-extension.healthcheck.useComponentStatus disables it.
func init() {
	if err := featuregate.GlobalRegistry().Set("extension.healthcheck.useComponentStatus", true); err != nil {
		panic(err)
	}
}

// init makes prometheus_remote_write retry status 429.
func init() {
	if err := featuregate.GlobalRegistry().Set("exporter.prometheusremotewritexporter.RetryOn429", true); err != nil {
		panic(err)
	}
}
