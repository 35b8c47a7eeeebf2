// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const segmentSuffix = ".events"

// segmentLength is the event time that a segment covers.
const segmentLength = int64(time.Hour)

// hourOf is the start of the segment that an event belongs to.
func hourOf(t int64) int64 {
	start := t - t%segmentLength
	if start > t {
		start -= segmentLength
	}
	return start
}

// blockRef is where a block is.
type blockRef struct {
	header

	offset int64
}

// segment is the file of the blocks of an hour.
type segment struct {
	start int64 // unix ns
	path  string

	// content is held for reading while blocks are read, and for writing while they are erased.
	content  sync.RWMutex
	file     *os.File
	erasures int  // number of blocks that were erased since it was opened
	removed  bool // the file is closed

	size atomic.Int64 // up to here the file has complete blocks

	blocks  []blockRef     // guarded by the store's mutex
	damaged map[int64]bool // offsets of blocks whose damage is reported; guarded as well
}

func segmentPath(directory string, start int64) string {
	return filepath.Join(directory, strconv.FormatInt(start/int64(time.Second), 10)+segmentSuffix)
}

// segmentStart is the hour of a segment's file; false if the name is not one of a segment.
func segmentStart(name string) (start int64, ok bool) {
	seconds, err := strconv.ParseInt(strings.TrimSuffix(name, segmentSuffix), 10, 64)
	if err != nil || !strings.HasSuffix(name, segmentSuffix) || seconds > math.MaxInt64/int64(time.Second) || seconds < 0 {
		return 0, false
	}
	return seconds * int64(time.Second), true
}

// gap is a stretch of event time of which blocks are not readable.
type gap struct {
	from, to int64 // unix ns
	bytes    int64
}

// openSegment opens or creates the file of an hour, and reads the headers of its blocks. Gaps are the
// times of blocks that are damaged. A block that is incomplete at the end of the file is cut off.
func openSegment(directory string, start int64) (*segment, []gap, error) {
	s := &segment{start: start, path: segmentPath(directory, start)}
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	s.file = file
	gaps, err := s.scan()
	if err == nil {
		err = s.finishErasures()
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", s.path, err), file.Close())
	}
	return s, gaps, nil
}

func (s *segment) scan() ([]gap, error) {
	info, err := s.file.Stat()
	if err != nil {
		return nil, err
	}
	var gaps []gap
	end := info.Size()
	last := s.start // the newest event before the place
	buffer := make([]byte, headerSize)
	for at := int64(0); at < end; {
		h, err := s.headerAt(at, end, buffer)
		if err != nil {
			next, failure := s.nextBlock(at+1, end, buffer)
			if failure != nil {
				return nil, failure
			}
			if next == end {
				// Only the last write can be incomplete, and its events are in the journal, or it is damaged.
				gaps = append(gaps, gap{last, s.start + segmentLength, end - at})
				return gaps, s.file.Truncate(at)
			}
			following, _ := s.headerAt(next, end, buffer) // nextBlock has read it
			gaps = append(gaps, gap{min(last, following.minTime), max(last, following.minTime), next - at})
			at = next
			continue
		}
		if !h.dead {
			s.blocks = append(s.blocks, blockRef{h, at})
			last = max(last, h.maxTime)
		}
		at += h.size()
		s.size.Store(at)
	}
	return gaps, nil
}

func (s *segment) headerAt(at, end int64, buffer []byte) (header, error) {
	n, err := s.file.ReadAt(buffer, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return header{}, err
	}
	return decodeHeader(buffer[:n], end-at)
}

// nextBlock is the offset of the first complete block from a place on, or the end of the file.
func (s *segment) nextBlock(at, end int64, buffer []byte) (int64, error) {
	window := make([]byte, 1<<20)
	for at < end {
		n, err := s.file.ReadAt(window, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := 0; ; i++ {
			found := bytes.Index(window[i:n], []byte(blockMagic))
			if found < 0 {
				break
			}
			i += found
			if _, err := s.headerAt(at+int64(i), end, buffer); err == nil {
				return at + int64(i), nil
			}
		}
		if n < len(window) {
			break
		}
		at += int64(n - len(blockMagic) + 1)
	}
	return end, nil
}

// append writes a block to the end of the file and to the disk.
func (s *segment) append(block []byte) (offset int64, err error) {
	offset = s.size.Load()
	if _, err = s.file.WriteAt(block, offset); err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return 0, errors.Join(err, s.file.Truncate(offset)) // it is tried again
	}
	s.size.Store(offset + int64(len(block)))
	return offset, nil
}

// erase overwrites a block, and marks it as erased. The caller holds content.
func (s *segment) erase(b *blockRef) error {
	zeros := make([]byte, min(1<<20, b.size()-headerSize))
	for at, end := b.offset+headerSize, b.offset+b.size(); at < end; at += int64(len(zeros)) {
		if _, err := s.file.WriteAt(zeros[:min(int64(len(zeros)), end-at)], at); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt([]byte{erased}, b.offset+stateAt); err != nil {
		return err
	}
	b.dead = true
	return s.file.Sync()
}

// finishErasures erases blocks that have another one in their place: the process ended in between.
func (s *segment) finishErasures() error {
	replaced := map[int64]bool{}
	for i := range s.blocks {
		if n := s.blocks[i].replaces; n != 0 {
			replaced[int64(n-1)] = true //nolint:gosec // an offset in a file
		}
	}
	kept := s.blocks[:0]
	for i := range s.blocks {
		if !replaced[s.blocks[i].offset] {
			kept = append(kept, s.blocks[i])
			continue
		}
		if err := s.erase(&s.blocks[i]); err != nil {
			return err
		}
	}
	s.blocks = kept
	return nil
}

// remove deletes the file. Whoever reads it meanwhile ends first.
func (s *segment) remove() error {
	s.content.Lock()
	defer s.content.Unlock()
	s.removed = true
	return errors.Join(os.Remove(s.path), s.file.Close())
}

func (s *segment) close() error {
	s.content.Lock()
	defer s.content.Unlock()
	s.removed = true
	return s.file.Close()
}
