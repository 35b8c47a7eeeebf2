// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package store is an embedded Prometheus database that accepts OTLP and remote write, and
// serves the query API of Prometheus.
//
// The database is Prometheus's TSDB. This package validates and limits writes, reports
// rejected samples with a reason, and keeps the database usable when its disk is full or damaged.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
)

// Options are what a store is opened with.
type Options struct {
	Directory        string
	Retention        time.Duration
	MaxBytes         int64         // 0 is no limit
	OutOfOrderWindow time.Duration // how much older than the newest a sample may be
	MaxSeries        int
	MinFreeBytes     int64 // what has to be left on the disk
	QueryTimeout     time.Duration
	QueryMaxSamples  int
	Version          string // what the API says of itself

	Logger *slog.Logger
	// Accepted and Rejected are called with the number of stored and of rejected samples.
	Accepted func(ctx context.Context, samples int)
	Rejected func(ctx context.Context, reason Reason, samples int)
	// RejectedExemplars is called with the number of exemplars that were rejected of stored samples.
	RejectedExemplars func(ctx context.Context, exemplars int)
	// Status is called with an error when the store fails, and with nil when it recovers.
	Status func(error)
}

// Store is an open database. Its handlers may be used until it is closed.
type Store struct {
	options  Options
	lock     *tsdbutil.DirLocker
	api      http.Handler
	metadata families
	limited  atomic.Bool // the series limit holds; not while the log is replayed
	writes   atomic.Int64
	underWay struct{ queries, writes atomic.Int64 }
	closing  atomic.Bool // writes end, and nothing of them is stored

	// use is held for reading by whoever uses the database, and for writing while it
	// is exchanged for one that was opened afresh.
	use      sync.RWMutex
	db       *tsdb.DB // nil while it cannot be opened
	registry *prometheus.Registry
	failure  failure
	damaged  damaged

	stop   context.CancelFunc
	done   sync.WaitGroup
	unused chan struct{} // closed when Close has the database for itself
}

// Open opens the database in a directory, which it makes if it is not there.
func Open(ctx context.Context, options Options) (*Store, error) {
	s := &Store{options: options, unused: make(chan struct{})}
	if err := s.acquire(); err != nil {
		return nil, err
	}
	s.api = newAPI(s)
	switch err := s.open(); {
	case isDiskFull(err):
		s.fail(err)
	case err != nil:
		return nil, errors.Join(err, s.lock.Release())
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx)) // it ends with Open's caller
	s.done.Go(func() { s.recoverLoop(ctx) })
	return s, nil
}

// acquire keeps other processes out of the directory. It comes before anything else,
// since the database itself begins by removing what an earlier process left half done.
func (s *Store) acquire() error {
	directory := s.options.Directory
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("cannot make the directory of the store: %w", err)
	}
	s.makePrivate()
	lock, err := tsdbutil.NewDirLocker(directory, "tsdb", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("%s: another process has this store open; give each its own directory: %w", directory, err)
	}
	s.lock = lock
	return nil
}

// makePrivate takes the directory from everybody but its owner, as it is when we make it: one
// that was there before may be open to others. If it is not ours, a warning has to do.
func (s *Store) makePrivate() {
	directory := s.options.Directory
	info, err := os.Stat(directory)
	if err != nil || info.Mode().Perm()&0o077 == 0 || !hasOwners {
		return
	}
	if err = os.ErrPermission; isOurs(info) {
		err = os.Chmod(directory, 0o700) //nolint:gosec // it is a directory
	}
	if err != nil {
		s.options.Logger.Warn("Other users may read the store's directory, which is not ours to change: chmod it to 0700",
			"directory", directory, "mode", info.Mode().String(), "error", err)
		return
	}
	s.options.Logger.Warn("Other users could read the store's directory; now its owner alone can",
		"directory", directory, "before", info.Mode().String())
}

// open opens the database itself, without the blocks of it that are damaged.
func (s *Store) open() error {
	if err := s.setDamagedAside(); err != nil {
		return err
	}
	s.limited.Store(false)
	options := tsdb.DefaultOptions()
	options.NoLockfile = true // we have it
	options.RetentionDuration = s.options.Retention.Milliseconds()
	options.MaxBytes = s.options.MaxBytes
	options.OutOfOrderTimeWindow = s.options.OutOfOrderWindow.Milliseconds()
	options.EnableExemplarStorage = true
	options.MaxExemplars = 10_000
	options.SeriesLifecycleCallback = seriesLimit{s}
	// As Prometheus does: blocks grow up to a tenth of the retention.
	options.MaxBlockDuration = max(options.MinBlockDuration, min(options.RetentionDuration/10, (31*24*time.Hour).Milliseconds()))
	// A small store should be small. None of these limits what it can hold.
	options.StripeSize = 1 << 10
	options.WALSegmentSize = 16 << 20
	options.HeadChunksWriteBufferSize = 256 << 10
	options.BlockQuerierFunc = func(b tsdb.BlockReader, from, to int64) (storage.Querier, error) {
		return tsdb.NewBlockQuerier(s.watch(b), from, to)
	}
	registry := prometheus.NewRegistry()
	db, err := tsdb.Open(s.options.Directory, s.options.Logger, registry, options, nil)
	if err != nil {
		return fmt.Errorf("cannot open the store in %s: %w", s.options.Directory, err)
	}
	s.db, s.registry = db, registry
	s.limited.Store(true)
	return nil
}

// closeTimeout is how long Close waits for those who use the database.
const closeTimeout = 5 * time.Second

// Close ends what is under way, and leaves the directory to others. Writes end with the next
// sample. A query that cannot be interrupted does not hold it up: then the database is closed
// when that query ends, or with the process. What was written is in the log in either case.
// A second Close does nothing.
func (s *Store) Close() error { return s.closeWithin(closeTimeout) }

func (s *Store) closeWithin(timeout time.Duration) error {
	if s.closing.Swap(true) {
		return nil
	}
	s.stop()
	closed := make(chan error, 1)
	go func() { closed <- s.close() }()
	select {
	case <-s.unused:
		return <-closed
	case <-time.After(timeout):
		return fmt.Errorf("%s: %d queries and %d writes did not end within %v; the store is closed when they have",
			s.options.Directory, s.underWay.queries.Load(), s.underWay.writes.Load(), timeout)
	}
}

// close waits for everybody who uses the database.
func (s *Store) close() error {
	s.done.Wait()
	s.use.Lock()
	close(s.unused)
	defer s.use.Unlock()
	if s.db == nil {
		return s.lock.Release()
	}
	err := s.db.Close()
	s.db = nil
	return errors.Join(err, s.lock.Release())
}

// Query is the read side of the Prometheus API, below /api/v1.
func (s *Store) Query() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.use.RLock()
		defer s.use.RUnlock()
		s.underWay.queries.Add(1)
		defer s.underWay.queries.Add(-1)
		if s.db == nil {
			unavailable(w, s.failure.get())
			return
		}
		s.api.ServeHTTP(w, r)
	})
}

// Writes returns the number of writes whose samples are visible to queries.
func (s *Store) Writes() int64 { return s.writes.Load() }

// Series is the number of series that have had samples of late.
func (s *Store) Series() int {
	s.use.RLock()
	defer s.use.RUnlock()
	if s.db == nil {
		return 0
	}
	return int(s.db.Head().NumSeries()) //nolint:gosec // it is bounded by max_series
}

// Size is the number of bytes on disk.
func (s *Store) Size() int64 {
	var size int64
	_ = filepath.WalkDir(s.options.Directory, func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// Health returns nil, or the reason why the store accepts no samples.
func (s *Store) Health() error { return s.failure.get() }
