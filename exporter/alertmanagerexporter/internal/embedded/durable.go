// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"net/http"
)

// durably delays the response to a request that changes something until sync returns; an
// error of sync becomes the response.
func durably(sync func() error, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.Method != http.MethodDelete {
			next.ServeHTTP(w, r)
			return
		}
		response := &buffered{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(response, r)
		if err := sync(); err != nil {
			http.Error(w, "the change is not on disk: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(response.status)
		_, _ = w.Write(response.body.Bytes())
	})
}

// buffered holds a response back.
type buffered struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

func (b *buffered) WriteHeader(status int)            { b.status = status }
func (b *buffered) Write(content []byte) (int, error) { return b.body.Write(content) }
