// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package wssessionsconnector converts session records to traces, and the totals of
// sessions in window records to exponential histograms. It has no state: both kinds of
// records hold everything that is made of them.
package wssessionsconnector
