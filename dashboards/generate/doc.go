// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command generate writes the Grafana dashboards: one JSON file for each, into
// the folder that it is given. What panels look like is in style.go, what they
// ask the stores in query.go, and each dashboard in a file of its own.
package main

//go:generate go run . ..
