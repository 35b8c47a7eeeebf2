// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/apirequest"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// request is a question as the source is asked. Nothing of the viewer's own request
// goes along: the answer is for all of them.
func request(ctx context.Context, q apirequest.Request) *http.Request {
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil) // it is well formed
	r.URL.Path = "/api/v1" + q.Path
	r.URL.RawQuery = q.Values.Encode()
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip") // answers are kept as they are sent
	return r
}

// recorder takes an answer, up to a size, and up to what all answers being received may hold.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	limit  int
	excess bool
	claim  *requestbody.Claim
	failed error // of the claim
	broken error // of the source
}

func newRecorder(limit int, claim *requestbody.Claim) *recorder {
	return &recorder{header: http.Header{}, limit: limit, claim: claim}
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter. What is too much is not kept.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.body.Len()+len(p) > r.limit {
		r.excess = true
		return 0, fmt.Errorf("the response is larger than %d bytes", r.limit)
	}
	if r.failed == nil {
		r.failed = r.claim.Grow(len(p))
	}
	if r.failed != nil {
		return 0, r.failed
	}
	return r.body.Write(p)
}

// abort makes the answer an error of the source, unless it was too large.
func (r *recorder) abort(err error) bool {
	if r.excess || r.failed != nil {
		return false
	}
	r.broken = err
	return true
}

func (r *recorder) answer() cache.Answer {
	r.WriteHeader(http.StatusOK)
	if r.excess {
		return refusal(http.StatusUnprocessableEntity, "execution",
			fmt.Errorf("the response is larger than %d bytes: request a shorter range, fewer series or a longer step", r.limit))
	}
	if r.broken != nil {
		return refusal(http.StatusBadGateway, "unavailable", r.broken)
	}
	if r.failed != nil {
		return refusal(http.StatusServiceUnavailable, "unavailable", r.failed)
	}
	header := http.Header{}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Retry-After"} {
		if value := r.header.Get(name); value != "" {
			header.Set(name, value)
		}
	}
	return cache.Answer{Status: r.status, Header: header, Body: r.body.Bytes()}
}

// send gives an answer to a viewer, decompressed if need be. A viewer who reads slowly holds
// its answer meanwhile; those who hold the most are cut off when there is too much of that.
func (v *queryHandler) send(w http.ResponseWriter, r *http.Request, answer cache.Answer) {
	claim := v.sending.Claim(func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) }) // writing fails now
	defer claim.Release()
	if err := claim.Grow(len(answer.Body)); err != nil {
		answer = refusal(http.StatusServiceUnavailable, "unavailable", err)
	}
	maps.Copy(w.Header(), answer.Header)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept-Encoding")
	if w.Header().Get("Content-Encoding") != "gzip" || acceptsGzip(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer.Body)))
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body) // a viewer who has left needs no answer
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(answer.Body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Del("Content-Encoding")
	w.WriteHeader(answer.Status)
	_, _ = io.Copy(w, plain)
}

// acceptsGzip reads an Accept-Encoding header.
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(coding, ";")
		if strings.TrimSpace(name) == "gzip" {
			quality = strings.TrimLeft(strings.TrimPrefix(strings.TrimSpace(quality), "q="), "0.")
			return quality != "" || !strings.Contains(coding, ";")
		}
	}
	return false
}
