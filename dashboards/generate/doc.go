// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command generate writes what asks for the windows' metrics: the Grafana dashboards,
// the Prometheus rules and the queries of the live page. The expressions are in
// ../promql. What panels look like is in style.go, and each dashboard in a file of its own.
package main

//go:generate go run . ../..
