// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventstore keeps events on disk for about a day, and finds them by time, series, type and channel.
//
// Events are appended to a journal, from which they survive the end of the process, and to a table in memory.
// A table of 4 MiB becomes one compressed block in the file of each hour. Files are deleted by the hour, so
// nothing is older than the retention and one hour. What cannot be stored is counted by minute and reason.
package eventstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// Options configure a store.
type Options struct {
	Directory    string
	Retention    time.Duration // at least an hour; events are kept up to an hour longer
	MaxBytes     int64         // of all files; the oldest hours are deleted above it
	MinFreeBytes int64         // what has to be left on the disk

	Logger *slog.Logger
	// Lost is called with the number of events that are not stored.
	Lost func(reason Reason, events int)
	// Status is called with an error when events are not stored, and with nil when they are again.
	Status func(error)
}

const (
	maxSealed    = 2                // tables that wait to become blocks
	maxAge       = 10 * time.Minute // of the events in a table
	maxAhead     = 10 * time.Minute // beyond this, events are filed by their arrival
	maxQueued    = 256              // batches that wait to be written
	maxQueuedLen = 64 << 20         // bytes of them
	writeTimeout = 5 * time.Second
	closeTimeout = 5 * time.Second
	tickInterval = time.Second
)

// Store is an open store. Its methods are safe for concurrent use.
type Store struct {
	options Options
	lock    fileutil.Releaser
	codec   *codec
	losses  *losses
	backlog backlog
	refusal atomic.Pointer[Unavailable] // why nothing is accepted
	events  atomic.Int64                // stored by this process

	requests chan *request
	queued   atomic.Int64 // bytes in requests
	sealing  chan struct{}
	stopped  context.Context //nolint:containedctx // it is the lifetime of the store
	stop     context.CancelFunc
	done     sync.WaitGroup

	// blockMutex is held while blocks are written or erased. It is locked before mutex.
	blockMutex sync.Mutex
	mutex      sync.RWMutex
	current    *table
	sealed     []*table
	segments   map[int64]*segment
	flushed    chan struct{} // closed when a table has become blocks
	erasures   erasures
	alive      *os.File
	trouble    string
}

// Open opens the store in a directory, which it creates if it does not exist. Events that an earlier process
// had accepted are there.
func Open(options Options) (_ *Store, err error) {
	if err := os.MkdirAll(options.Directory, 0o700); err != nil {
		return nil, err
	}
	lock, _, err := fileutil.Flock(filepath.Join(options.Directory, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: another process has this store open; give each its own directory: %w", options.Directory, err)
	}
	s := &Store{
		options: options, lock: lock, segments: map[int64]*segment{}, flushed: make(chan struct{}),
		requests: make(chan *request, maxQueued), sealing: make(chan struct{}, 1),
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	if s.codec, err = newCodec(); err == nil {
		err = s.recover(time.Now())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", options.Directory, err), s.release())
	}
	s.done.Go(s.write)
	s.done.Go(s.flush)
	s.done.Go(s.tick)
	return s, nil
}

// Events is the number of events that this process has stored.
func (s *Store) Events() int64 { return s.events.Load() }

// Size is the number of bytes on disk.
func (s *Store) Size() int64 {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return s.size()
}

func (s *Store) size() int64 {
	size := s.current.size.Load()
	for _, t := range s.sealed {
		size += t.size.Load()
	}
	for _, of := range s.segments {
		size += of.size.Load()
	}
	return size
}

// oldest is the time of the oldest event; the time now without any. The caller holds mutex.
func (s *Store) oldest(now time.Time) int64 {
	oldest := now.UnixNano()
	for _, of := range s.sortedSegments() {
		if len(of.blocks) > 0 {
			for i := range of.blocks {
				oldest = min(oldest, of.blocks[i].minTime)
			}
			break
		}
	}
	for _, t := range append(slices.Clone(s.sealed), s.current) {
		oldest = min(oldest, t.minTime)
	}
	return oldest
}

// sortedSegments are the segments, oldest first. The caller holds mutex.
func (s *Store) sortedSegments() []*segment {
	all := make([]*segment, 0, len(s.segments))
	for _, of := range s.segments {
		all = append(all, of)
	}
	slices.SortFunc(all, func(a, b *segment) int { return cmp.Compare(a.start, b.start) })
	return all
}

// Close ends the store. Events in the journal are there when it is opened again. A disk that does not
// respond does not hold it up.
func (s *Store) Close() error {
	if s.stopped.Err() != nil {
		return nil
	}
	s.stop()
	ended := make(chan struct{})
	go func() {
		s.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return s.release()
	case <-time.After(closeTimeout):
		return fmt.Errorf("%s: the disk does not respond; the event store is closed with the process", s.options.Directory)
	}
}

// release closes all files.
func (s *Store) release() error {
	var errs []error
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.alive != nil {
		errs = append(errs, s.writeAlive(time.Now()), s.losses.save(s.options.Directory), s.alive.Close())
	}
	for _, t := range append(s.sealed, s.current) {
		if t != nil {
			errs = append(errs, t.close())
		}
	}
	for _, of := range s.segments {
		errs = append(errs, of.close())
	}
	errs = append(errs, s.erasures.close())
	if s.codec != nil {
		s.codec.close()
	}
	return errors.Join(append(errs, s.lock.Release())...)
}
