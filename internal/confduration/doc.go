// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package confduration refuses durations without a unit in a configuration.
//
// The Collector decodes a bare number into a time.Duration of as many nanoseconds:
// interval: 15 becomes 15 ns. Each component of this module decodes its
// configuration through Unmarshal, which follows the types of the configuration,
// the Collector's own sections included. UnknownKeys follows the same types to name
// the keys that a configuration does not have.
package confduration
