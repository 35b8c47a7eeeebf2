// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package reload runs the Collector so that SIGHUP with an invalid configuration
// leaves the running one in force.
//
// The Collector shuts its service down before it reads the new configuration, and
// ends where it cannot. Run takes SIGHUP from it, validates the configuration in a
// child process, and only then replaces the Collector by a new one. Where the new
// one does not start, the previous configuration is started again.
//
// The Collector registers for SIGHUP when it has started, and taking it away is not
// atomic. So a configuration that has changed while the Collector started is validated
// without a signal, and a Collector that SIGHUP has reached starts its service again
// with the configuration in force.
package reload
