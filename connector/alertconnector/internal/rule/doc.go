// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rule decides, one window after another, whether an alert fires.
//
// A decision is pure: the state before and a sample give the state behind it, what
// happens, and why. Times are unix ms.
package rule
