// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package boltfile reports whether a bbolt database is sound, without opening it: bbolt
// itself panics over one that is not.
package boltfile
