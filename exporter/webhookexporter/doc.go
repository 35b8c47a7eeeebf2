// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package webhookexporter delivers log records, alerts above all, to a webhook: one POST for
// each, signed as specified by Standard Webhooks.
//
// It is built around exporterhelper, which queues and retries, and confighttp, which makes the
// client. delivery.go sends the records of a request, episodes.go skips records that a newer
// one supersedes; internal/payload renders them, internal/httpstatus classifies responses, and
// internal/deadletter keeps records that are given up.
package webhookexporter
