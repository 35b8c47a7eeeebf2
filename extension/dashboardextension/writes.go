// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"errors"
	"net/http"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/decompress"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/inflight"
)

const (
	maxWaitingWrites = 64       // writers that wait for those that are under way
	largeBody        = 1 << 20  // bytes, decompressed; larger ones are decoded one at a time
	minBodies        = 64 << 20 // bytes that bodies may hold together, at least
)

// writes reads the bodies of writers, decompresses them, and passes them on. A body is read
// outside the gate: a client that sends slowly takes memory, but nobody's place.
type writes struct {
	maxBody    int64
	algorithms []string
	bodies     *inflight.Budget
	gate       *gate
	large      *semaphore.Weighted
	arrived    func()
}

// newWrites takes the reading of bodies over from the server, whose configuration it changes:
// the server would decompress while it reads.
func newWrites(c *Config, arrived func()) *writes {
	server := &c.ServerConfig
	if server.MaxRequestBodySize <= 0 {
		server.MaxRequestBodySize = 20 << 20 // as the server has it
	}
	algorithms := server.CompressionAlgorithms
	if algorithms == nil {
		algorithms = decompress.Algorithms
	}
	server.CompressionAlgorithms = []string{}
	return &writes{
		maxBody:    server.MaxRequestBodySize,
		algorithms: slices.Clone(algorithms),
		bodies:     inflight.NewBudget(int(max(minBodies, 3*server.MaxRequestBodySize))),
		gate:       newGate(2*runtime.GOMAXPROCS(0), maxWaitingWrites),
		large:      semaphore.NewWeighted(1),
		arrived:    arrived,
	}
}

// handler gives complete bodies to a store.
func (w *writes) handler(store func(http.ResponseWriter, *http.Request, []byte)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.arrived()
		claim := w.bodies.Claim(func() { _ = http.NewResponseController(rw).SetReadDeadline(time.Unix(1, 0)) }) // reading fails now
		defer claim.Release()
		body, err := claim.ReadAll(r.Body)
		if err == nil {
			err = claim.Complete()
		}
		if err != nil {
			refuseBody(rw, err)
			return
		}
		if err := w.gate.enter(r.Context()); err != nil {
			comeAgain(rw, err)
			return
		}
		defer w.gate.leave()
		if body, err = w.decompressed(claim, r.Header.Get("Content-Encoding"), body); err != nil {
			refuseBody(rw, err)
			return
		}
		if len(body) > largeBody {
			if err := w.large.Acquire(r.Context(), 1); err != nil {
				comeAgain(rw, err)
				return
			}
			defer w.large.Release(1)
		}
		store(rw, r, body)
	})
}

func (w *writes) decompressed(claim *inflight.Claim, encoding string, body []byte) ([]byte, error) {
	if encoding == "" {
		return body, nil
	}
	plain, err := decompress.Reader(encoding, w.algorithms, body, w.maxBody)
	if err != nil {
		return nil, err
	}
	return claim.ReadAll(plain)
}

// refuseBody says why a body was not read to its end, or not decompressed.
func refuseBody(w http.ResponseWriter, err error) {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, inflight.ErrExceeded):
		comeAgain(w, err)
	case tooLarge:
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
	case errors.Is(err, decompress.ErrEncoding):
		http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
	default:
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func comeAgain(w http.ResponseWriter, err error) {
	if errors.Is(err, inflight.ErrExceeded) {
		// What interrupted the reading of its body has ended the context of the connection, with
		// which every further request on it would fail.
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
