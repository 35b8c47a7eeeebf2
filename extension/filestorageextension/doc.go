// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate go tool mdatagen metadata.yaml

// Package filestorageextension is the Collector's file_storage with a look at the
// files before they are opened.
//
// The database in them, bbolt, ends the process when it meets damage, from a
// goroutine of its own, where nobody can recover. A collector whose disk has lost a page
// would so never start again, for the sake of one file.
package filestorageextension
