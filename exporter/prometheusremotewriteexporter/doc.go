// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package prometheusremotewriteexporter is the Collector's prometheus_remote_write exporter behind
// exporterhelper's queue and retries.
//
// The Collector's exporter retries inside of its timeout. When the timeout passes, it drops the batch, whatever
// retry_on_failure::max_elapsed_time is: an outage of the backend that lasts longer than the timeout loses data. Here the
// timeout is that of one attempt, and the queue can be on disk.
package prometheusremotewriteexporter
