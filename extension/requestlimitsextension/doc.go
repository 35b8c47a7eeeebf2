// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package requestlimitsextension is a middleware for HTTP servers of the Collector that receive OTLP. It
// bounds the memory and the time that requests take, before they are decoded.
package requestlimitsextension
