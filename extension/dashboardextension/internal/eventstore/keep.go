// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// shedAfter is how long a sender is asked to retry before its events are taken and counted as lost: its queue
// holds what arrives meanwhile, and a full queue would hold up the pipeline in front of it.
const shedAfter = 10 * time.Second

// backlog is when batches could not be stored.
type backlog struct {
	mutex sync.Mutex
	since time.Time // of the first without a pause of shedAfter
	last  time.Time
}

// shed is called for each batch that cannot be stored. It reports whether to count it as lost.
func (b *backlog) shed(now time.Time) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if now.Sub(b.last) > shedAfter {
		b.since = now
	}
	b.last = now
	return now.Sub(b.since) >= shedAfter
}

// tick is the goroutine that does what is due every second.
func (s *Store) tick() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopped.Done():
			return
		case now := <-ticker.C:
			s.everySecond(now)
		}
	}
}

func (s *Store) everySecond(now time.Time) {
	refused := s.checkSpace()
	expired := s.expire(now)
	over := s.limitSize(now)
	if refused == nil {
		refused = over
	}
	s.refusal.Store(refused)
	synced := s.syncJournal()
	s.sealOld(now)
	err := errors.Join(expired, synced, s.writeAlive(now), s.losses.save(s.options.Directory))
	switch {
	case refused != nil:
		s.report(refused)
	case err != nil:
		s.report(err)
	case !s.isStuck():
		s.report(nil)
	}
}

// isStuck reports whether tables wait for the disk.
func (s *Store) isStuck() bool {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return len(s.sealed) >= maxSealed
}

// checkSpace is why no events are accepted, if the disk is almost full.
func (s *Store) checkSpace() *Unavailable {
	free, known := freeBytes(s.options.Directory)
	if !known || free >= s.options.MinFreeBytes {
		return nil
	}
	return &Unavailable{DiskFull, fmt.Errorf("%s: less than min_free_bytes (%d) are free on the disk: events are not stored",
		s.options.Directory, s.options.MinFreeBytes)}
}

// isExpired reports whether all that a segment may hold is older than the retention.
func (s *Store) isExpired(start int64, now time.Time) bool {
	return now.UnixNano() >= start+segmentLength+s.options.Retention.Nanoseconds()
}

// expire deletes what is older than the retention, by the hour.
func (s *Store) expire(now time.Time) error {
	s.losses.expire(now.Add(-s.options.Retention - time.Hour).UnixNano())
	var errs []error
	s.mutex.RLock()
	oldest := s.sortedSegments()
	s.mutex.RUnlock()
	for _, of := range oldest {
		if !s.isExpired(of.start, now) {
			break
		}
		errs = append(errs, s.remove(of))
	}
	if now.Unix()%60 == 0 { // what has been set aside
		entries, err := os.ReadDir(s.options.Directory)
		errs = append(errs, err)
		for _, entry := range entries {
			name, damaged := strings.CutSuffix(entry.Name(), damagedSuffix)
			if start, ok := segmentStart(name); ok && damaged && s.isExpired(start, now) {
				errs = append(errs, os.Remove(filepath.Join(s.options.Directory, entry.Name())))
			}
		}
		s.mutex.Lock()
		s.erasures.expire(now.Add(-s.options.Retention - time.Hour))
		s.mutex.Unlock()
	}
	return errors.Join(errs...)
}

func (s *Store) remove(of *segment) error {
	s.blockMutex.Lock()
	defer s.blockMutex.Unlock()
	s.mutex.Lock()
	delete(s.segments, of.start)
	s.mutex.Unlock()
	return of.remove()
}

// limitSize deletes the oldest hours while all files take more than max_bytes. The current hour is
// kept; if it alone takes more, no events are accepted.
func (s *Store) limitSize(now time.Time) *Unavailable {
	for s.options.MaxBytes > 0 {
		s.mutex.RLock()
		size, all := s.size(), s.sortedSegments()
		s.mutex.RUnlock()
		if size <= s.options.MaxBytes {
			break
		}
		if len(all) == 0 || all[0].start >= hourOf(now.UnixNano()) {
			return &Unavailable{MaxBytes, fmt.Errorf("%s: the events of this hour take max_bytes (%d): no more are stored until the hour ends",
				s.options.Directory, s.options.MaxBytes)}
		}
		s.options.Logger.Warn("The oldest hour of events is deleted before its time: the files take more than max_bytes",
			"hour", time.Unix(0, all[0].start).UTC(), "bytes", size, "max_bytes", s.options.MaxBytes)
		if err := s.remove(all[0]); err != nil {
			s.options.Logger.Error("An hour of events cannot be deleted", "file", all[0].path, "error", err)
			break
		}
	}
	return nil
}

// syncJournal makes what was written in the last second survive a power failure.
func (s *Store) syncJournal() error {
	s.mutex.RLock()
	file := s.current.file.Load()
	s.mutex.RUnlock()
	if file == nil {
		return nil
	}
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // it may have become blocks meanwhile
		return err
	}
	return nil
}

// sealOld makes a block of events that have been in memory for long.
func (s *Store) sealOld(now time.Time) {
	s.mutex.RLock()
	old := s.current.n > 0 && now.UnixNano()-s.current.since > maxAge.Nanoseconds()
	s.mutex.RUnlock()
	if !old {
		return
	}
	select {
	case s.requests <- &request{command: func() {
		if s.current.n > 0 {
			_ = s.rotate() // the store is closed
		}
	}}:
	default: // the writer is busy; in a second
	}
}

func (s *Store) writeAlive(now time.Time) error {
	text := now.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + "\n"
	_, err := s.alive.WriteAt([]byte(text), 0)
	return err
}
