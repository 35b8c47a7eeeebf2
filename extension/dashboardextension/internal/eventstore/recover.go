// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

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
