// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package statelog stores values of any size as records of a compacted topic, which keeps
// the latest record of each key.
//
// The size of a message is limited. So a value is cut into chunks, each under a key of its
// own; the first one has their number.
package statelog

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// ChunkSize is the maximum size of a chunk in bytes, well below the default limit of
// brokers, 1 MB.
const ChunkSize = 512 << 10

// Record is a record of the topic; one without a value deletes its key.
type Record struct {
	Key, Value []byte
}

func chunkKey(name string, part int) []byte { return fmt.Appendf(nil, "%s#%d", name, part) }

// Writer tracks how many chunks the values have. A partition has one writer.
type Writer struct {
	chunks map[string]int // number of chunks by name, where there are several
}

// Set returns the records that set a value.
func (w *Writer) Set(name string, value []byte) []Record {
	count := max(1, (len(value)+ChunkSize-1)/ChunkSize)
	records := make([]Record, 0, count)
	for part := range count {
		content := value[part*ChunkSize : min(len(value), (part+1)*ChunkSize)]
		if part == 0 {
			content = append(binary.AppendUvarint(make([]byte, 0, len(content)+binary.MaxVarintLen64), uint64(count)), content...)
		}
		records = append(records, Record{Key: chunkKey(name, part), Value: content})
	}
	return append(records, w.shorten(name, count)...)
}

// Delete returns the records that delete a value.
func (w *Writer) Delete(name string) []Record {
	return append([]Record{{Key: chunkKey(name, 0)}}, w.shorten(name, 1)...)
}

// shorten deletes the chunks after the first count.
func (w *Writer) shorten(name string, count int) (records []Record) {
	for part := count; part < w.chunks[name]; part++ {
		records = append(records, Record{Key: chunkKey(name, part)})
	}
	w.note(name, count)
	return records
}

func (w *Writer) note(name string, count int) {
	switch {
	case count < 2:
		delete(w.chunks, name)
	case w.chunks == nil:
		w.chunks = map[string]int{name: count}
	default:
		w.chunks[name] = count
	}
}

// MaxBytes bounds the keys and values of a snapshot: several times the state of a million
// channels.
const MaxBytes = 512 << 20

// Snapshot is the content of the topic, as it is read. The zero value is empty.
type Snapshot struct {
	Keep    string // name of a short value that is kept beyond MaxBytes
	Dropped int    // records that exceeded MaxBytes

	max    int // instead of MaxBytes, in tests
	bytes  int
	values map[string][]byte
}

// Add adds the next record. One that exceeds MaxBytes is dropped, with the value of its key
// before: an older value is not consistent with the others.
func (s *Snapshot) Add(record Record) {
	key := string(record.Key)
	if old, ok := s.values[key]; ok {
		s.bytes -= len(key) + len(old)
		delete(s.values, key)
	}
	if len(record.Value) == 0 {
		return
	}
	size, limit := len(key)+len(record.Value), MaxBytes
	if s.max > 0 {
		limit = s.max
	}
	if s.bytes+size > limit && (s.Keep == "" || key != string(chunkKey(s.Keep, 0))) {
		s.Dropped++
		return
	}
	if s.values == nil {
		s.values = map[string][]byte{}
	}
	s.bytes += size
	s.values[key] = record.Value
}

// Take returns a value and removes it from the snapshot, nil where there is none. Where a
// chunk is missing, it returns the ones before: values have a checksum.
func (s *Snapshot) Take(writer *Writer, name string) []byte {
	first, ok := s.values[string(chunkKey(name, 0))]
	if !ok {
		return nil
	}
	delete(s.values, string(chunkKey(name, 0)))
	count, size := binary.Uvarint(first)
	if size <= 0 {
		return first
	}
	value := first[size:]
	for part := 1; uint64(part) < count; part++ {
		content, ok := s.values[string(chunkKey(name, part))]
		if !ok {
			return value
		}
		delete(s.values, string(chunkKey(name, part)))
		value = append(slices.Clip(value), content...)
		writer.note(name, part+1)
	}
	return value
}

// Release drops the values that were not taken.
func (s *Snapshot) Release() { s.values = nil }
