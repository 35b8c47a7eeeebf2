// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpstatus classifies the response status of a webhook.
package httpstatus
