// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
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
	frameSize  = 8
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
	t.frame = append(t.frame[:0], make([]byte, frameSize)...)
	binary.LittleEndian.PutUint32(t.frame, uint32(len(rows))) //nolint:gosec // it is less than maxTable
	binary.LittleEndian.PutUint32(t.frame[4:], crc32.Checksum(rows, castagnoli))
	t.frame = append(t.frame, rows...)
	size := t.size.Load()
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

// readJournal reads the events of a journal. It ends at the first frame that is not complete, and returns the
// number of bytes after it: events of a write that was never acknowledged, or damage.
func readJournal(directory string, seq uint64, now int64) (t *table, cut int64, err error) {
	t = newTable(directory, seq)
	info, err := os.Stat(t.path)
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > maxJournal {
		return nil, 0, fmt.Errorf("%s: %d bytes are more than a journal has: %w", t.path, info.Size(), errDamaged)
	}
	content, err := os.ReadFile(t.path)
	if err != nil {
		return nil, 0, err
	}
	t.size.Store(int64(len(content)))
	for rest := content; ; {
		rows, after, ok := cutFrame(rest)
		if !ok {
			return t, int64(len(rest)), nil
		}
		t.add(rows, now)
		rest = after
	}
}

// cutFrame splits the first frame off.
func cutFrame(b []byte) (rows, rest []byte, ok bool) {
	if len(b) < frameSize {
		return nil, b, false
	}
	n := binary.LittleEndian.Uint32(b)
	if int64(n) > int64(len(b)-frameSize) || n == 0 {
		return nil, b, false
	}
	rows = b[frameSize : frameSize+n]
	return rows, b[frameSize+n:], crc32.Checksum(rows, castagnoli) == binary.LittleEndian.Uint32(b[4:])
}

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
