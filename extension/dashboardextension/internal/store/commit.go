// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/otlpscan"
)

// write stores what add appends, all of it or, with an error, none. Once it has
// returned without an error, the samples survive the end of this process.
func (s *Store) write(ctx context.Context, add func(context.Context, *countingAppender) error) (*tally, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	s.use.RLock()
	defer s.use.RUnlock()
	s.underWay.writes.Add(1)
	defer s.underWay.writes.Add(-1)
	if s.closing.Load() {
		return nil, errClosing // it may be closed already
	}
	if err := s.failure.get(); err != nil { // it has failed meanwhile
		return nil, err
	}
	t := &tally{}
	app := s.appender(ctx, t)
	if err := add(ctx, app); err != nil {
		return nil, errors.Join(err, app.Rollback())
	}
	if err := app.Commit(); err != nil {
		s.fail(err)
		return nil, err
	}
	s.writes.Add(1)
	s.options.Accepted(ctx, t.accepted)
	for reason, n := range t.rejected {
		s.options.Rejected(ctx, reason, n)
	}
	if t.exemplars > 0 {
		s.options.RejectedExemplars(ctx, t.exemplars)
	}
	return t, nil
}

// writable returns nil, or the reason why nothing can be stored now.
func (s *Store) writable() error {
	if err := s.failure.get(); err != nil {
		return err
	}
	free, known := freeBytes(s.options.Directory)
	if known && free < s.options.MinFreeBytes {
		err := fmt.Errorf("%s: the disk has %d bytes left, and store::min_free_bytes is %d: %w",
			s.options.Directory, free, s.options.MinFreeBytes, syscall.ENOSPC)
		s.fail(err)
		return err
	}
	return nil
}

func (t *tally) rejections() (n int) {
	for _, count := range t.rejected {
		n += count
	}
	return n
}

// String says what was rejected, and names one.
func (t *tally) String() string {
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(t.rejected)) {
		reasons = append(reasons, fmt.Sprintf("%s: %d", reason, t.rejected[reason]))
	}
	return fmt.Sprintf("%d of %d samples are not stored (%s), such as %s; the others are",
		t.rejections(), t.rejections()+t.accepted, strings.Join(reasons, ", "), t.example)
}

// notStored says why nothing of a request was stored.
func notStored(w http.ResponseWriter, err error) {
	if errors.Is(err, errTooManySamples) {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	unavailable(w, err)
}

// badRequest refuses a request that no retry makes valid.
func badRequest(w http.ResponseWriter, err error) {
	code := http.StatusBadRequest
	if _, exceeded := errors.AsType[*otlpscan.LimitError](err); exceeded {
		code = http.StatusRequestEntityTooLarge
	}
	http.Error(w, err.Error(), code)
}

// unavailable responds with 503, on which OTLP senders retry. They do not retry on a 500.
func unavailable(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
