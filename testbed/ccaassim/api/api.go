// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package api is what the simulated platform APIs share: the sockets and who may
// open them, WebSocket frames, encodings, and the round robin over sockets. Each API
// is a package below it.
package api

import (
	"net/http"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// API is one of the platform APIs that deliver the same events.
type API interface {
	// Name is the API's key in the truth's apis.
	Name() string
	// Routes adds the API's endpoints.
	Routes(mux *http.ServeMux)
	// Counts is what a receiver can count of an event that this API sends.
	Counts(e *traffic.Event) truth.Counts
	// Send writes a batch to ready sockets of this API, and records the outcomes in it.
	Send(b *truth.Batch, sockets []*Socket, t *fault.Trouble) SendResult
	// Counted releases what the API keeps for a batch that has been counted.
	Counted(b *truth.Batch)
	// TroubleChanged applies changed trouble to the API's own state.
	TroubleChanged()
	// Close stops the API's timers.
	Close()
}

// Host is what an API is built on.
type Host struct {
	Config    *config.Config
	Authority string // host:port that clients reach the simulator by
	Series    []traffic.Series
	Tokens    *Tokens
	Directory *Directory
	Hub       *Hub
	Recorder  *truth.Recorder
	Trouble   *fault.State
	History   *history.History
}

// URL is the simulator's base URL for a scheme, http or ws; with TLS, https or wss.
func (h *Host) URL(scheme string) string {
	if h.Config.TLS {
		scheme += "s"
	}
	return scheme + "://" + h.Authority
}

// SendResult is how a batch fared with an API's sockets.
type SendResult struct {
	Some bool // a write took some of it
	Left bool // a socket was closing, and took nothing
}

// Add merges the result of another socket or API.
func (r *SendResult) Add(other SendResult) {
	r.Some, r.Left = r.Some || other.Some, r.Left || other.Left
}
