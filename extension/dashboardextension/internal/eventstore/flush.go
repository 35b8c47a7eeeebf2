// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"fmt"
	"slices"
	"time"
)

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
