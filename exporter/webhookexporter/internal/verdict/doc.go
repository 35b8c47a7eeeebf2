// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package verdict says what the answer of a webhook means for what was sent.
package verdict
