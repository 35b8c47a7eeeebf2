// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package configcheck adds to the Collector's validation of a configuration: the key
// that was probably meant where one is unknown, and warnings about what is valid and
// probably not intended.
package configcheck
