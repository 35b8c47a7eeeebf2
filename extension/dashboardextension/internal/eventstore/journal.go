// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

const (
	journalSuffix = ".journal"
	maxTable      = 4 << 20 // bytes of events in memory before they become blocks
	// maxJournal bounds what is read of a file: a full table, and the frames around its parts.
	maxJournal = 4 * maxTable
	// A frame is the rows of one write after a header: what it begins with, their length, number, checksum, first
	// and last time, and the checksum of the header.
	frameSize  = 36
	frameMagic = "CCEJ"
)

// table is events in memory, and the journal that has the same events on disk. Events are only added to
// it, so that a reader takes its length under the store's mutex and reads without.
type table struct {
	seq              uint64
	rows             []byte // each preceded by its length
	n                int
	minTime, maxTime int64
	types, tenants   uint64
	since            int64 // when the first event was added, unix ns

	path string
	file atomic.Pointer[os.File]
	size atomic.Int64 // of the journal
	// frame is the buffer of writes.
	frame []byte
	// written are the hours of which the events are in a block already.
	written map[int64]bool
}

func journalPath(directory string, seq uint64) string {
	return filepath.Join(directory, fmt.Sprintf("%020d%s", seq, journalSuffix))
}

func newTable(directory string, seq uint64) *table {
	return &table{seq: seq, path: journalPath(directory, seq), minTime: math.MaxInt64, maxTime: math.MinInt64, written: map[int64]bool{}}
}

// write appends rows to the journal. After it returns without an error, they survive the end of the process.
func (t *table) write(rows []byte) error {
	file := t.file.Load()
	if file == nil {
		var err error
		if file, err = os.OpenFile(t.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return err
		}
		t.file.Store(file)
	}
	f := frame{data: rows, crc: crc32.Checksum(rows, castagnoli), minTime: math.MaxInt64, maxTime: math.MinInt64}
	for encoded, rest, ok := cutRow(rows); ok; encoded, rest, ok = cutRow(rest) {
		at := int64(binary.LittleEndian.Uint64(encoded)) //nolint:gosec // the bits are kept
		f.minTime, f.maxTime = min(f.minTime, at), max(f.maxTime, at)
		f.n++
	}
	size := t.size.Load()
	t.frame = append(f.appendHeader(t.frame[:0], size), rows...)
	if _, err := file.WriteAt(t.frame, size); err != nil {
		return errors.Join(err, file.Truncate(size)) // what is written next takes its place
	}
	t.size.Store(size + int64(frameSize+len(rows)))
	return nil
}

// add makes rows visible.
func (t *table) add(rows []byte, now int64) {
	if t.n == 0 {
		t.since = now
		t.rows = make([]byte, 0, max(maxTable, len(rows)))
	}
	t.rows = append(t.rows, rows...)
	_, _ = eachRow(rows, func(r *row) error { // it returns no error
		t.n++
		t.minTime, t.maxTime = min(t.minTime, r.time), max(t.maxTime, r.time)
		t.types |= typeBit(r.typ)
		if r.flags&flagAbnormal != 0 {
			t.types |= abnormalBit
		}
		t.tenants |= tenantBit(r.tenant)
		return nil
	})
}

// remove deletes the journal.
func (t *table) remove() error {
	err := t.close()
	if removal := os.Remove(t.path); !errors.Is(removal, os.ErrNotExist) {
		err = errors.Join(err, removal)
	}
	return err
}

func (t *table) close() error {
	if file := t.file.Swap(nil); file != nil {
		return file.Close()
	}
	return nil
}

// recovered is what was found in a journal, and what was lost.
type recovered struct {
	*table

	damaged []frame // whose rows are not what was written
	skipped int64   // bytes of all that is damaged, with frames after it
	cut     int64   // bytes after the last frame: of a write that was never acknowledged, or damage
	changed int64   // when the file was, unix ns
}

// readJournal reads the events of a journal. After damage it continues with the next frame.
func readJournal(directory string, seq uint64, now int64) (*recovered, error) {
	r := &recovered{table: newTable(directory, seq)}
	info, err := os.Stat(r.path)
	if err != nil {
		return nil, err
	}
	r.changed = info.ModTime().UnixNano()
	if info.Size() > maxJournal {
		return nil, fmt.Errorf("%s: %d bytes are more than a journal has: %w", r.path, info.Size(), errDamaged)
	}
	content, err := os.ReadFile(r.path)
	if err != nil {
		return nil, err
	}
	r.size.Store(int64(len(content)))
	end := 0 // of the last frame
	for at := 0; at < len(content); {
		f, ok := decodeFrame(content[at:], int64(at))
		switch {
		case ok && f.intact():
			r.skipped += int64(at - end)
			r.add(f.data, now)
			at += frameSize + len(f.data)
			end = at
			continue
		case ok:
			r.damaged = append(r.damaged, f)
		}
		next := bytes.Index(content[at+1:], []byte(frameMagic))
		if next < 0 {
			break
		}
		at += 1 + next
	}
	r.cut = int64(len(content) - end)
	return r, nil
}

// frame is the rows of one write, and what its header says of them.
type frame struct {
	data             []byte
	n                uint32
	crc              uint32 // of data
	minTime, maxTime int64
}

// appendHeader appends the header of a frame at an offset of a journal.
func (f *frame) appendHeader(to []byte, offset int64) []byte {
	start := len(to)
	to = append(to, frameMagic...)
	le := binary.LittleEndian
	for _, n := range [...]uint32{uint32(len(f.data)), f.n, f.crc} { //nolint:gosec // it is less than maxTable
		to = le.AppendUint32(to, n)
	}
	to = le.AppendUint64(to, uint64(f.minTime)) //nolint:gosec // the bits are kept
	to = le.AppendUint64(to, uint64(f.maxTime)) //nolint:gosec // the bits are kept
	return le.AppendUint32(to, frameSum(to[start:], offset))
}

// frameSum is the checksum of a header at an offset: what looks like one inside an event has that of another.
func frameSum(b []byte, offset int64) uint32 {
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(offset)) //nolint:gosec // it is not negative
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, b)
}

// decodeFrame decodes the frame at an offset of a journal; false if none is there, or it is cut off.
func decodeFrame(b []byte, offset int64) (f frame, ok bool) {
	le := binary.LittleEndian
	const sumAt = frameSize - 4
	if len(b) < frameSize || string(b[:len(frameMagic)]) != frameMagic || le.Uint32(b[sumAt:]) != frameSum(b[:sumAt], offset) {
		return f, false
	}
	n := int64(le.Uint32(b[4:]))
	if n == 0 || n > int64(len(b)-frameSize) {
		return f, false
	}
	return frame{
		data: b[frameSize : frameSize+n], n: le.Uint32(b[8:]), crc: le.Uint32(b[12:]),
		minTime: int64(le.Uint64(b[16:])), maxTime: int64(le.Uint64(b[24:])), //nolint:gosec // the bits are kept
	}, true
}

func (f *frame) intact() bool { return crc32.Checksum(f.data, castagnoli) == f.crc }

// journals are the sequence numbers of the journals in a directory, in order.
func journals(directory string) ([]uint64, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, entry := range entries {
		name, is := strings.CutSuffix(entry.Name(), journalSuffix)
		if seq, err := strconv.ParseUint(name, 10, 64); is && err == nil {
			all = append(all, seq)
		}
	}
	slices.Sort(all)
	return all, nil
}
