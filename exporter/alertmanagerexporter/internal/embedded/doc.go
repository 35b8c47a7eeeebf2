// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package embedded runs an Alertmanager in the process: routing, grouping, inhibition,
// silences, mute intervals, receivers and its API. It is the only package that uses
// Alertmanager's packages, whose signatures change with each release.
//
// Upstream keeps alerts in memory, and writes silences and the notification log every 15
// minutes. Here all three are in journals: Put, the API and the notification log return
// when the change is on disk.
//
//   - engine.go: lifecycle and maintenance
//   - generation.go: what a configuration builds, and a new one replaces
//   - alerts.go: alerts that survive a kill until their last notification is delivered
//   - state.go: silences and notification log on disk
//   - notifier.go: our own notifiers in Alertmanager's pipeline
package embedded
