// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"net/http"
	"runtime"
	"slices"

	"golang.org/x/sync/semaphore"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

const (
	maxWaitingWrites = 64       // requests that wait for a slot
	largeBody        = 1 << 20  // bytes, decompressed; larger ones are decoded one at a time
	minBodies        = 64 << 20 // bytes that bodies may hold together, at least
)

// writes passes the bodies of write requests on to the store.
type writes struct {
	bodies  requestbody.Reader
	large   *semaphore.Weighted
	arrived func()
}

func newWrites(bodies requestbody.Reader, arrived func()) *writes {
	return &writes{bodies: bodies, large: newLarge(), arrived: arrived}
}

func newLarge() *semaphore.Weighted { return semaphore.NewWeighted(1) }

// newBodies takes the reading of bodies over from the server, whose configuration it changes: the server would
// decompress while it reads. The result makes readers that have limits of their own.
func newBodies(c *Config) func() requestbody.Reader {
	server := &c.ServerConfig
	if server.MaxRequestBodySize <= 0 {
		server.MaxRequestBodySize = 20 << 20 // the server's default
	}
	algorithms := slices.Clone(server.CompressionAlgorithms)
	if algorithms == nil {
		algorithms = requestbody.Algorithms
	}
	server.CompressionAlgorithms = []string{}
	return func() requestbody.Reader {
		return requestbody.Reader{
			MaxBytes:   server.MaxRequestBodySize,
			Algorithms: algorithms,
			Budget:     requestbody.NewBudget(int(max(minBodies, 3*server.MaxRequestBodySize))),
			Limiter:    requestbody.NewLimiter(2*runtime.GOMAXPROCS(0), maxWaitingWrites),
		}
	}
}

// handler passes complete bodies to store.
func (w *writes) handler(store func(http.ResponseWriter, *http.Request, []byte)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.arrived()
		err := w.bodies.Read(rw, r, func(_ *requestbody.Claim, body []byte) error { //nolint:contextcheck // the request has it
			if len(body) > largeBody {
				if err := w.large.Acquire(r.Context(), 1); err != nil {
					return err
				}
				defer w.large.Release(1)
			}
			store(rw, r, body)
			return nil
		})
		if err != nil {
			http.Error(rw, err.Error(), requestbody.Status(rw, err))
		}
	})
}
