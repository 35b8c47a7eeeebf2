// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package conversation turns snapshots of conversations, which is what Genesys
// Cloud notifies of, into the events between them. It is pure: no pdata, no
// goroutine, and time is an argument. What it remembers is bounded and expires.
//
// A snapshot tells all that a conversation has come to. So what was missed while
// nobody listened is told by the next one, and what was told before is known again:
// nothing is told twice, also when snapshots overtake each other. What happened
// before the tracker began, or may have been told by a conversation that had to be
// forgotten, is history, and not told.
package conversation
