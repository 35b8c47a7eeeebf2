// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package webhookexporter delivers log records, alerts above all, to a webhook:
// one POST for each, signed as Standard Webhooks says.
//
// This package is the plumbing around exporterhelper, which queues and retries, and
// confighttp, which makes the client. What an answer means stands in
// internal/httpstatus, what is sent in internal/payload, and what becomes of records that
// nobody takes in internal/deadletter.
package webhookexporter
