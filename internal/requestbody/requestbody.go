// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package requestbody reads the bodies of requests within bounds: bytes of one body, bytes of all
// bodies in flight, time to read one, and requests that are processed at the same time.
//
// The Collector's servers decompress while a body is received, with windows of many MiB for each
// connection, however slow. Here a body is read as sent, outside the limiter: a slow client takes
// memory of the shared budget, but no slot. Then it is decompressed, in one of the slots.
package requestbody

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// Reader reads bodies.
type Reader struct {
	MaxBytes   int64         // of one body, as sent and decompressed
	Timeout    time.Duration // to read one body; 0: the server's
	Algorithms []string      // accepted encodings, see Algorithms
	Budget     *Budget
	Limiter    *Limiter
}

// Read calls handle with the decompressed body of a request and its claim, which handle may grow.
// It returns an error when the body cannot be read within the bounds, and that of handle.
func (b *Reader) Read(w http.ResponseWriter, r *http.Request, handle func(claim *Claim, body []byte) error) error {
	connection := http.NewResponseController(w)
	claim := b.Budget.Claim(func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) }) // the pending read fails now
	defer claim.Release()
	if b.Timeout > 0 {
		_ = connection.SetReadDeadline(time.Now().Add(b.Timeout)) // a test's recorder has none
	}
	body, err := claim.ReadAll(http.MaxBytesReader(w, r.Body, b.MaxBytes))
	if err == nil {
		err = claim.Complete()
	}
	if err != nil {
		return err
	}
	if b.Timeout > 0 {
		_ = connection.SetReadDeadline(time.Time{}) // or it would cancel the request's context while it is processed
	}
	if err := b.Limiter.Acquire(r.Context()); err != nil {
		return err
	}
	defer b.Limiter.Release()
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		plain, err := decompress(encoding, b.Algorithms, body, b.MaxBytes)
		if err != nil {
			return err
		}
		if body, err = claim.ReadAll(plain); err != nil {
			return fmt.Errorf("%s: %w", encoding, err)
		}
	}
	return handle(claim, body)
}

// Status is the HTTP status for an error of Read. It sets the headers that belong to it.
func Status(w http.ResponseWriter, err error) int {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, ErrBudgetExceeded), errors.Is(err, ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		// An interrupted read cancels the context of its connection, with which every further request
		// on it would fail.
		w.Header().Set("Connection", "close")
		fallthrough
	case errors.Is(err, ErrTooManyRequests):
		w.Header().Set("Retry-After", "1")
		return http.StatusServiceUnavailable
	case tooLarge, errors.Is(err, ErrLargerThanBudget):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrEncoding):
		return http.StatusUnsupportedMediaType
	}
	return http.StatusBadRequest
}
