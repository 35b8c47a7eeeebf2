// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package sim is a contact-centre platform on loopback: OAuth2 client
// credentials, the pre-flight, the upgrade, and realistic traffic on the socket,
// with trouble on request and exact ground truth of what was sent.
//
// It comes in two halves. The pure one decides what happens: a generator yields
// the events of a population of sessions in order of their time, a composer puts
// them into frames, an encoder writes their bytes. The other half is plumbing: a
// pump sends the frames in real time, or as fast as they are accepted, to the
// sockets that the platform endpoints let in, and a tally counts what was written.
package sim
