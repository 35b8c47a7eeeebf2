// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const erasuresFile = "erasures.jsonl"

// Erasure is the record of an erasure: one line of erasures.jsonl when it begins, and one when it has ended.
type Erasure struct {
	Time          time.Time `json:"time"`
	ChannelSHA256 string    `json:"channel_sha256"`
	ChannelHash   uint32    `json:"channel_hash"` // what blocks find channels by
	Finished      bool      `json:"finished"`
	Events        int       `json:"events"` // erased
}

type digest = [sha256.Size]byte

// erasures are the channels whose events up to a time are erased, also those that arrive later. The
// store's mutex guards it.
type erasures struct {
	until  map[digest]int64 // unix ns
	latest int64            // of until
	open   []Erasure        // that are not finished
	file   *os.File
}

func (e *erasures) empty() bool { return len(e.until) == 0 }

// has reports whether a row is erased.
func (e *erasures) has(r *row) bool {
	if e.empty() || len(r.channel) == 0 || r.time > e.latest {
		return false
	}
	until, ok := e.until[sha256.Sum256(r.channel)]
	return ok && r.time <= until
}

// hasRow is has under the store's mutex.
func (e *erasures) hasRow(mutex *sync.RWMutex, r *row) bool {
	mutex.RLock()
	defer mutex.RUnlock()
	return e.has(r)
}

func (e *erasures) add(of digest, until int64) {
	if e.until == nil {
		e.until = map[digest]int64{}
	}
	e.until[of] = max(e.until[of], until)
	e.latest = max(e.latest, until)
}

// expire forgets erasures before a time: all their events have expired.
func (e *erasures) expire(before time.Time) {
	for of, until := range e.until {
		if until < before.UnixNano() {
			delete(e.until, of)
		}
	}
}

func (e *erasures) record(line *Erasure) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := e.file.Write(append(text, '\n')); err != nil {
		return err
	}
	return e.file.Sync()
}

func (e *erasures) close() error {
	if e.file == nil {
		return nil
	}
	return e.file.Close()
}

// openErasures reads the record of erasures: those within the retention hold, and those that are not
// finished are resumed.
func (s *Store) openErasures(now time.Time) error {
	path := filepath.Join(s.options.Directory, erasuresFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.erasures.file = file
	begun := map[digest]Erasure{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		var line Erasure
		of, err := digest{}, json.Unmarshal(lines.Bytes(), &line)
		if err == nil {
			_, err = hex.Decode(of[:], []byte(line.ChannelSHA256 + "!")[:min(2*sha256.Size, len(line.ChannelSHA256))])
		}
		if err != nil {
			s.options.Logger.Error("A line of the record of erasures is damaged", "file", path, "line", n, "error", err)
			continue
		}
		if line.Finished {
			delete(begun, of)
		} else {
			begun[of] = line
		}
		s.erasures.add(of, line.Time.UnixNano())
	}
	for _, line := range begun {
		s.erasures.open = append(s.erasures.open, line)
	}
	s.erasures.expire(now.Add(-s.options.Retention - time.Hour))
	return lines.Err()
}

// resumeErasures finishes the erasures that a full disk or the end of a process interrupted.
func (s *Store) resumeErasures() {
	s.mutex.Lock()
	open := s.erasures.open
	s.erasures.open = nil
	s.mutex.Unlock()
	for i := range open {
		n, err := s.eraseBlocks(s.stopped, open[i].ChannelHash)
		open[i].Events += n
		if err = s.finish(&open[i], err); err != nil && s.stopped.Err() == nil {
			s.options.Logger.Error("An erasure is not finished; it is tried again", "channel_sha256", open[i].ChannelSHA256, "error", err)
		}
	}
}

// finish records the end of an erasure, or with an error has it tried again.
func (s *Store) finish(line *Erasure, err error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil {
		line.Finished = true
		err = s.erasures.record(line)
	}
	if err != nil {
		line.Finished = false
		s.erasures.open = append(s.erasures.open, *line)
	}
	return err
}

// Erase erases all events of a channel up to now: no query returns them from now on, and when it returns they are not in
// the files any more. Such events that arrive later are not stored. The record does not have the channel's ID.
func (s *Store) Erase(ctx context.Context, channel string) (Erasure, error) {
	if channel == "" {
		return Erasure{}, errors.New("channel_id is empty")
	}
	now := time.Now()
	of := sha256.Sum256([]byte(channel))
	line := Erasure{Time: now.UTC(), ChannelSHA256: hex.EncodeToString(of[:]), ChannelHash: channelHash(channel)}
	s.mutex.Lock()
	err := s.erasures.record(&line)
	if err == nil {
		s.erasures.add(of, now.UnixNano())
	}
	inMemory := s.countInMemory(channel, now.UnixNano())
	s.mutex.Unlock()
	if err != nil {
		return line, fmt.Errorf("nothing is erased, the record cannot be written: %w", err)
	}
	line.Events = inMemory
	if err = s.flushAll(ctx); err == nil {
		var n int
		n, err = s.eraseBlocks(ctx, line.ChannelHash)
		line.Events += n
	}
	err = s.finish(&line, err)
	return line, err
}

// countInMemory counts the events of a channel that are in no block yet. The caller holds mutex.
func (s *Store) countInMemory(channel string, until int64) (n int) {
	for _, t := range append(append([]*table{}, s.sealed...), s.current) {
		_, _ = eachRow(t.rows, func(r *row) error { // it returns no error
			if string(r.channel) == channel && r.time <= until {
				n++
			}
			return nil
		})
	}
	return n
}

// flushAll returns when all events that were in memory are in blocks, and their journals are deleted.
func (s *Store) flushAll(ctx context.Context) error {
	rotated := make(chan struct{})
	var last uint64
	r := &request{command: func() {
		last = s.current.seq
		if s.current.n > 0 {
			_ = s.rotate() // the store is closed
		}
		close(rotated)
	}}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped.Done():
		return ErrClosed
	}
	select {
	case <-rotated:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped.Done():
		return ErrClosed
	}
	for {
		s.mutex.RLock()
		flushed, pending := s.flushed, false
		for _, t := range s.sealed {
			pending = pending || t.seq <= last
		}
		s.mutex.RUnlock()
		if !pending {
			return nil
		}
		select {
		case <-flushed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped.Done():
			return ErrClosed
		}
	}
}

// eraseBlocks writes the blocks that hold a channel anew, without what is erased, and overwrites the old ones.
// New blocks are written in between: they have no erased events.
func (s *Store) eraseBlocks(ctx context.Context, hash uint32) (n int, err error) {
	s.mutex.RLock()
	all := s.sortedSegments()
	s.mutex.RUnlock()
	for _, of := range all {
		s.mutex.RLock()
		blocks := of.blocks
		s.mutex.RUnlock()
		for i := range blocks {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			erased, err := s.eraseBlock(of, blocks[i], hash)
			n += erased
			if err != nil {
				return n, fmt.Errorf("%s: %w", of.path, err)
			}
		}
	}
	return n, nil
}

func (s *Store) eraseBlock(of *segment, block blockRef, hash uint32) (n int, err error) {
	s.blockMutex.Lock()
	defer s.blockMutex.Unlock()
	if of.removed { // only written under blockMutex, but for the end of the store
		return 0, nil
	}
	if found, err := mayHold(of.file, block.offset, &block.header, hash); !found || err != nil {
		return 0, err
	}
	var kept []row
	lost, err := s.codec.readBlock(of.file, block.offset, &block.header, 0, func(r *row) error {
		if s.erasures.hasRow(&s.mutex, r) {
			n++
			return nil
		}
		copied, _ := decodeRow(bytes.Clone(r.encoded)) // it was decoded before
		kept = append(kept, copied)
		return nil
	})
	if err != nil || n == 0 && lost == 0 {
		return 0, err
	}
	s.loseDamaged(&block.header, lost) // what cannot be read is erased, too
	replacement := blockRef{}
	if len(kept) > 0 {
		encoded, h := s.codec.encodeBlock(kept, block.seq, uint64(block.offset)+1) //nolint:gosec // an offset is not negative
		offset, err := of.append(encoded)
		if err != nil {
			return 0, err
		}
		replacement = blockRef{h, offset}
	}
	s.mutex.Lock()
	changed := make([]blockRef, 0, len(of.blocks))
	for i := range of.blocks {
		if of.blocks[i].offset != block.offset {
			changed = append(changed, of.blocks[i])
		}
	}
	if len(kept) > 0 {
		changed = append(changed, replacement)
	}
	of.blocks = changed
	s.mutex.Unlock()
	of.content.Lock()
	defer of.content.Unlock()
	of.erasures++
	return n, of.erase(&block)
}

// loseDamaged counts and logs events of a block that cannot be read.
func (s *Store) loseDamaged(b *header, n int) {
	if n == 0 {
		return
	}
	now := time.Now()
	from, to := s.clamp(b.minTime, now), s.clamp(b.maxTime, now)
	s.losses.mark(Damaged, from, to)
	s.losses.count(Damaged, to, int64(n))
	s.options.Lost(Damaged, n)
	s.options.Logger.Error("Events are damaged on disk, and missing", "events", n,
		"from", time.Unix(0, b.minTime).UTC(), "to", time.Unix(0, b.maxTime).UTC())
}
