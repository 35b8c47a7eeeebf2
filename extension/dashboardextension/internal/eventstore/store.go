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
	"strings"
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

// request is a batch to write, or a command to run between batches.
type request struct {
	rows    []byte
	state   atomic.Int32
	done    chan error // has room for one
	command func()
}

// States of a request.
const (
	waiting int32 = iota
	writing
	abandoned
)

// Unavailable is the error of a batch of which nothing is stored; it can be sent again.
type Unavailable struct {
	Reason Reason
	Err    error
}

// Error implements error.
func (u *Unavailable) Error() string { return u.Err.Error() }

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Err }

// ErrClosed is the cause of the error of a batch after Close.
var ErrClosed = errors.New("the event store is closed")

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

// recover reads what an earlier process left.
func (s *Store) recover(now time.Time) error {
	directory := s.options.Directory
	if err := os.Chmod(directory, 0o700); err != nil { //nolint:gosec // it is a directory
		s.options.Logger.Warn("Other users may read the event store's directory: chmod it to 0700", "directory", directory, "error", err)
	}
	var err error
	if s.losses, err = readLosses(directory); err != nil {
		s.options.Logger.Error("The file of losses is damaged; which minutes are incomplete is not known before now", "directory", directory, "error", err)
	}
	if err := s.openErasures(now); err != nil {
		return err
	}
	next, err := s.openSegments(now)
	if err != nil {
		return err
	}
	if next, err = s.openJournals(now, next); err != nil {
		return err
	}
	s.current = newTable(directory, next)
	return s.openAlive(now)
}

// openSegments opens the files of all hours, and returns the lowest number that no block has.
func (s *Store) openSegments(now time.Time) (next uint64, err error) {
	entries, err := os.ReadDir(s.options.Directory)
	if err != nil {
		return 0, err
	}
	next = 1
	for _, entry := range entries {
		start, ok := segmentStart(strings.TrimSuffix(entry.Name(), damagedSuffix))
		path := filepath.Join(s.options.Directory, entry.Name())
		switch {
		case !ok:
			continue
		case s.isExpired(start, now):
			if err := os.Remove(path); err != nil {
				return 0, err
			}
			continue
		case strings.HasSuffix(entry.Name(), damagedSuffix):
			continue
		}
		opened, gaps, err := openSegment(s.options.Directory, start)
		if err != nil {
			s.options.Logger.Error("Events of an hour cannot be read; the file is set aside until it expires",
				"file", path, "hour", time.Unix(0, start).UTC(), "error", err)
			s.losses.mark(Damaged, start, start+segmentLength-1)
			if err := os.Rename(path, path+damagedSuffix); err != nil {
				return 0, err
			}
			continue
		}
		for _, g := range gaps {
			from, to := max(start, g.from), min(start+segmentLength-1, g.to)
			s.options.Logger.Error("Events are damaged on disk, and missing", "file", path, "bytes", g.bytes,
				"from", time.Unix(0, from).UTC(), "to", time.Unix(0, to).UTC())
			s.losses.mark(Damaged, from, max(from, to))
		}
		s.segments[start] = opened
		for i := range opened.blocks {
			next = max(next, opened.blocks[i].seq+1)
		}
	}
	return next, nil
}

const damagedSuffix = ".damaged"

// openJournals reads events that are in no block yet.
func (s *Store) openJournals(now time.Time, next uint64) (uint64, error) {
	all, err := journals(s.options.Directory)
	if err != nil {
		return 0, err
	}
	for _, seq := range all {
		next = max(next, seq+1)
		path := journalPath(s.options.Directory, seq)
		recovered, err := readJournal(s.options.Directory, seq, now.UnixNano())
		if err != nil {
			s.options.Logger.Error("A journal of events cannot be read, its events are missing", "file", path, "error", err)
			s.losses.mark(Damaged, now.Add(-maxAge).UnixNano(), now.UnixNano())
		} else {
			s.loseOfJournal(recovered, now)
		}
		if err != nil || recovered.n == 0 {
			if err := os.Remove(path); err != nil {
				return 0, err
			}
			continue
		}
		for start, of := range s.segments {
			for i := range of.blocks {
				if of.blocks[i].seq == seq {
					recovered.written[start] = true
				}
			}
		}
		s.sealed = append(s.sealed, recovered.table)
	}
	s.sealing <- struct{}{}
	return next, nil
}

// loseOfJournal counts and logs what was lost of a journal. Of a damaged header nothing is known but when the
// journal was written.
func (s *Store) loseOfJournal(r *recovered, now time.Time) {
	if r.skipped > 0 {
		s.options.Logger.Error("A journal of events is damaged, the events after the damage are there", "file", r.path, "bytes", r.skipped)
	}
	if r.cut > 0 {
		// A write that the end of the process cut off was not acknowledged. Damage looks the same.
		s.options.Logger.Warn("The end of a journal of events is incomplete", "file", r.path, "bytes", r.cut)
	}
	known := int64(0)
	for i := range r.damaged {
		f := &r.damaged[i]
		known += int64(frameSize + len(f.data))
		s.loseDamaged(&header{minTime: f.minTime, maxTime: f.maxTime}, int(f.n))
	}
	if r.skipped+r.cut > known {
		changed := s.clamp(r.changed, now)
		s.losses.mark(Damaged, changed-maxAge.Nanoseconds(), changed)
	}
}

// openAlive marks the time since an earlier process ran as incomplete.
func (s *Store) openAlive(now time.Time) error {
	path := filepath.Join(s.options.Directory, aliveFile)
	if content, err := os.ReadFile(path); err == nil {
		last, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(content)))
		if err != nil {
			last = now.Add(-maxAge)
		}
		if oldest := now.Add(-s.options.Retention - time.Hour); last.Before(oldest) {
			last = oldest
		}
		if last.Before(now) {
			s.losses.mark(Down, last.UnixNano(), now.UnixNano())
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	s.alive = file
	return err
}

// Append stores a batch. When it returns without an error the events survive the end of the process, or, for
// *Lost, those that it counts are counted as losses. After another error nothing is counted, and the
// batch should be sent again: events that are stored twice are returned once.
func (s *Store) Append(ctx context.Context, b *Batch) error {
	now := time.Now()
	rows, n, lost := s.admissible(b, now)
	err := s.offer(ctx, rows)
	var unavailable *Unavailable
	switch {
	case err == nil:
		s.events.Add(int64(n))
	case errors.As(err, &unavailable) && s.backlog.shed(now):
		s.lose(unavailable.Reason, rows)
		lost.add(unavailable.Reason, n)
	default:
		return err
	}
	if lost.Events > 0 {
		return lost
	}
	return nil
}

// Lost is the error of a batch some of whose events are not stored and should not be sent again.
type Lost struct {
	Events  int
	Reasons map[Reason]int
}

// Error implements error.
func (l *Lost) Error() string {
	var parts []string
	for reason, n := range l.Reasons {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d events are not stored: %s", l.Events, strings.Join(parts, ", "))
}

func (l *Lost) add(reason Reason, n int) {
	if l.Reasons == nil {
		l.Reasons = map[Reason]int{}
	}
	l.Events += n
	l.Reasons[reason] += n
}

// admissible leaves out the events that are too old, and those of erased channels.
func (s *Store) admissible(b *Batch, now time.Time) (rows []byte, n int, lost *Lost) {
	oldest := now.Add(-s.options.Retention).UnixNano()
	lost = &Lost{}
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if slices.IndexFunc(b.times, func(t int64) bool { return t < oldest }) < 0 && s.erasures.empty() {
		return b.rows, b.Len(), lost
	}
	_, _ = eachRow(b.rows, func(r *row) error { // it returns no error
		switch {
		case r.time < oldest:
			s.lose(TooOld, prefixed(nil, r.encoded))
			lost.add(TooOld, 1)
		case !s.erasures.has(r):
			rows = prefixed(rows, r.encoded)
			n++
		}
		return nil
	})
	return rows, n, lost
}

// Lose counts events that could not even be offered.
func (s *Store) Lose(reason Reason, times ...int64) {
	now := time.Now()
	for _, t := range times {
		s.losses.count(reason, s.clamp(t, now), 1)
	}
	s.options.Lost(reason, len(times))
}

// clamp is the time that a loss is counted at: that of the event, if it is within the retention.
func (s *Store) clamp(t int64, now time.Time) int64 {
	return max(now.Add(-s.options.Retention).UnixNano(), min(t, now.UnixNano()))
}

func (s *Store) lose(reason Reason, rows []byte) {
	var times []int64
	_, _ = eachRow(rows, func(r *row) error { // it returns no error
		times = append(times, r.time)
		return nil
	})
	s.Lose(reason, times...)
}

// offer passes rows to the writer and waits for it.
func (s *Store) offer(ctx context.Context, rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	if s.stopped.Err() != nil {
		return ErrClosed
	}
	if refused := s.refusal.Load(); refused != nil {
		return refused
	}
	if s.queued.Add(int64(len(rows))) > maxQueuedLen {
		s.queued.Add(-int64(len(rows)))
		return errOverload
	}
	r := &request{rows: rows, done: make(chan error, 1)}
	select {
	case s.requests <- r:
	default:
		s.queued.Add(-int64(len(rows)))
		return errOverload
	}
	timeout := time.NewTimer(writeTimeout)
	defer timeout.Stop()
	select {
	case err := <-r.done:
		return err
	case <-timeout.C:
		r.state.CompareAndSwap(waiting, abandoned)
		return errOverload
	case <-ctx.Done():
		r.state.CompareAndSwap(waiting, abandoned)
		return ctx.Err()
	case <-s.stopped.Done():
		return ErrClosed
	}
}

var errOverload = &Unavailable{Overload, errors.New("the event store is overloaded, or its disk is slow; retry later")}

// write is the goroutine that writes journals.
func (s *Store) write() {
	for {
		select {
		case <-s.stopped.Done():
			return
		case r := <-s.requests:
			if r.command != nil {
				r.command()
				continue
			}
			if r.state.CompareAndSwap(waiting, writing) {
				r.done <- s.store(r.rows)
			}
			s.queued.Add(-int64(len(r.rows)))
		}
	}
}

// store appends rows to the journal and to the table, and begins a new table when it is full.
func (s *Store) store(rows []byte) error {
	for len(rows) > 0 {
		part, rest := cutPart(rows, maxTable-len(s.current.rows))
		if len(part) == 0 {
			if s.current.n == 0 {
				return fmt.Errorf("rows: %w", errDamaged) // admissible gives none such
			}
			if err := s.rotate(); err != nil {
				return err
			}
			continue
		}
		if err := s.current.write(part); err != nil {
			s.report(fmt.Errorf("events are not stored: %w", err))
			return &Unavailable{DiskFull, err}
		}
		s.mutex.Lock()
		s.current.add(part, time.Now().UnixNano())
		s.mutex.Unlock()
		rows = rest
	}
	return nil
}

// cutPart splits off the first rows that fit into room.
func cutPart(rows []byte, room int) (part, rest []byte) {
	n := 0
	for rest := rows; ; {
		encoded, after, ok := cutRow(rest)
		if !ok || n+4+len(encoded) > room {
			return rows[:n], rows[n:]
		}
		n += 4 + len(encoded)
		rest = after
	}
}

// rotate begins a new table. It waits while too many are not blocks yet. Only the writer calls it.
func (s *Store) rotate() error {
	for {
		s.mutex.Lock()
		if len(s.sealed) < maxSealed {
			s.sealed = append(s.sealed, s.current)
			s.current = newTable(s.options.Directory, s.current.seq+1)
			s.current.frame, s.sealed[len(s.sealed)-1].frame = s.sealed[len(s.sealed)-1].frame, nil
			s.mutex.Unlock()
			select {
			case s.sealing <- struct{}{}:
			default:
			}
			return nil
		}
		flushed := s.flushed
		s.mutex.Unlock()
		select {
		case <-flushed:
		case <-s.stopped.Done():
			return ErrClosed
		}
	}
}

// flush is the goroutine that makes blocks of tables.
func (s *Store) flush() {
	retry := time.NewTicker(tickInterval)
	defer retry.Stop()
	for {
		select {
		case <-s.stopped.Done():
			return
		case <-s.sealing:
		case <-retry.C:
		}
		for s.stopped.Err() == nil {
			s.mutex.RLock()
			var oldest *table
			if len(s.sealed) > 0 {
				oldest = s.sealed[0]
			}
			s.mutex.RUnlock()
			if oldest == nil {
				s.resumeErasures()
				break
			}
			if err := s.writeBlocks(oldest); err != nil {
				s.report(fmt.Errorf("events stay in the journal: %w", err))
				break
			}
		}
	}
}

// writeBlocks writes a table into the files of its hours. After an error it can be called again.
func (s *Store) writeBlocks(t *table) error {
	s.blockMutex.Lock()
	defer s.blockMutex.Unlock()
	now := time.Now()
	hours := map[int64][]row{}
	_, err := eachRow(t.rows, func(r *row) error {
		hour := min(hourOf(r.time), hourOf(now.UnixNano()))
		if !t.written[hour] && !s.isExpired(hour, now) && !s.erasures.hasRow(&s.mutex, r) {
			hours[hour] = append(hours[hour], *r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for hour, rows := range hours {
		segment, err := s.segmentOf(hour)
		if err != nil {
			return err
		}
		block, h := s.codec.encodeBlock(rows, t.seq, 0)
		offset, err := segment.append(block)
		if err != nil {
			return err
		}
		t.written[hour] = true
		s.mutex.Lock()
		segment.blocks = append(segment.blocks, blockRef{h, offset})
		s.mutex.Unlock()
	}
	s.mutex.Lock()
	s.sealed = slices.DeleteFunc(s.sealed, func(other *table) bool { return other == t })
	close(s.flushed)
	s.flushed = make(chan struct{})
	s.mutex.Unlock()
	return t.remove()
}

func (s *Store) segmentOf(hour int64) (*segment, error) {
	s.mutex.RLock()
	known := s.segments[hour]
	s.mutex.RUnlock()
	if known != nil {
		return known, nil
	}
	opened, _, err := openSegment(s.options.Directory, hour)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.segments[hour] = opened
	return opened, nil
}

// report reports trouble, or with nil its end.
func (s *Store) report(trouble error) {
	text := ""
	if trouble != nil {
		text = trouble.Error()
	}
	s.mutex.Lock()
	changed := s.trouble != text
	s.trouble = text
	s.mutex.Unlock()
	if !changed {
		return
	}
	if trouble != nil {
		s.options.Logger.Error("Events are not stored", "error", trouble)
	} else {
		s.options.Logger.Warn("Events are stored again")
	}
	s.options.Status(trouble)
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
