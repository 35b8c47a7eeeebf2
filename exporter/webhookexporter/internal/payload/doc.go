// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package payload makes of a record what is sent: its body as it is, an alert as
// Alertmanager takes it, or whatever a template says.
package payload
