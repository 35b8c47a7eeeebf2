// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package conversation turns snapshots of conversations, which is what Genesys
// Cloud notifies of, into the events between them. It is pure: no pdata, no
// goroutine, and time is an argument. What it remembers is bounded and expires.
//
// A snapshot has everything that has happened to a conversation. So the next one
// also has what was lost before it, and no event is emitted twice, also when
// snapshots overtake each other. Facts from before the tracker began, and those that
// a forgotten conversation may have had, are history, and not emitted.
//
// A channel is a communication that has an id, or the participant where its
// communications have none: on topics of one medium.
package conversation
