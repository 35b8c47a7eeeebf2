// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package alertmanagerexporter gives alert records to an embedded Alertmanager: one
// notification for a group of alerts, with inhibition, silences and mute intervals.
//
// internal/embedded is the Alertmanager. This package maps records to alerts
// (exporter.go), watches the configuration file (reload.go), serves the API (api.go),
// signs webhooks (webhook.go) and reports metrics and status (telemetry.go, status.go).
package alertmanagerexporter
