// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"net/http"

	"golang.org/x/time/rate"
)

// PerMinute allows no more than so many in any minute: a fifth of them at once, the
// others evenly.
func PerMinute(n int) *rate.Limiter {
	burst := max(n/5, 1)
	return rate.NewLimiter(rate.Limit(max(float64(n-burst), float64(n)/2)/60), burst)
}

// Bounded makes requests no faster than its limiter allows.
type Bounded struct {
	Limiter *rate.Limiter
	Next    http.RoundTripper
}

// RoundTrip waits for its turn.
func (b *Bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := b.Limiter.Wait(request.Context()); err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	return b.Next.RoundTrip(request)
}

// CloseIdleConnections passes on what http.Client asks for.
func (b *Bounded) CloseIdleConnections() {
	if closer, ok := b.Next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
