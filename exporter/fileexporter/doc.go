// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package fileexporter is the Collector's file exporter with a retention by time: a new
// file after each interval, files older than a maximum age are deleted, and so are the
// oldest where a maximum size is reached, which is logged and counted.
//
// The Collector's exporter writes the files; rotation by time ends one and begins the
// next. What is to be deleted is decided in internal/retention.
package fileexporter
