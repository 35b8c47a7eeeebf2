// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package pieces lays pieces of state out as the records of a compacted topic, in
// which the latest record of a key is the one that counts.
//
// A message has a bound, and a piece has none. So a piece is cut into parts, each
// under a key of its own; the first says how many there are.
package pieces

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// PartSize is the largest part of a piece, in bytes: well below the megabyte that
// brokers take by default.
const PartSize = 512 << 10

// Record is a record of the topic; without a value it removes what its key had.
type Record struct {
	Key, Value []byte
}

func partKey(name string, part int) []byte { return fmt.Appendf(nil, "%s#%d", name, part) }

// Layout remembers how many parts pieces have. It is for one writer.
type Layout struct {
	parts map[string]int // only of those that have several
}

// Set gives the records that put a piece in the place of the one before.
func (l *Layout) Set(name string, value []byte) []Record {
	count := max(1, (len(value)+PartSize-1)/PartSize)
	records := make([]Record, 0, count)
	for part := range count {
		content := value[part*PartSize : min(len(value), (part+1)*PartSize)]
		if part == 0 {
			content = append(binary.AppendUvarint(make([]byte, 0, len(content)+binary.MaxVarintLen64), uint64(count)), content...)
		}
		records = append(records, Record{Key: partKey(name, part), Value: content})
	}
	return append(records, l.shorten(name, count)...)
}

// Delete gives the records that remove a piece.
func (l *Layout) Delete(name string) []Record {
	return append([]Record{{Key: partKey(name, 0)}}, l.shorten(name, 1)...)
}

// shorten removes the parts behind the first count.
func (l *Layout) shorten(name string, count int) (records []Record) {
	for part := count; part < l.parts[name]; part++ {
		records = append(records, Record{Key: partKey(name, part)})
	}
	l.note(name, count)
	return records
}

func (l *Layout) note(name string, count int) {
	switch {
	case count < 2:
		delete(l.parts, name)
	case l.parts == nil:
		l.parts = map[string]int{name: count}
	default:
		l.parts[name] = count
	}
}

// Set is the content of the topic, as it is read. The zero value is empty.
type Set struct {
	values map[string][]byte
}

// Add takes in the next record.
func (s *Set) Add(record Record) {
	switch {
	case len(record.Value) == 0:
		delete(s.values, string(record.Key))
	case s.values == nil:
		s.values = map[string][]byte{string(record.Key): record.Value}
	default:
		s.values[string(record.Key)] = record.Value
	}
}

// Take gives a piece and forgets it, nil where there is none. Where a part is
// missing, it gives what there is: whoever wrote the piece has a checksum in it.
func (s *Set) Take(layout *Layout, name string) []byte {
	first, ok := s.values[string(partKey(name, 0))]
	if !ok {
		return nil
	}
	delete(s.values, string(partKey(name, 0)))
	count, size := binary.Uvarint(first)
	if size <= 0 {
		return first
	}
	value := first[size:]
	for part := 1; uint64(part) < count; part++ {
		content, ok := s.values[string(partKey(name, part))]
		if !ok {
			return value
		}
		delete(s.values, string(partKey(name, part)))
		value = append(slices.Clip(value), content...)
		layout.note(name, part+1)
	}
	return value
}

// Forget gives up what nobody has taken.
func (s *Set) Forget() { s.values = nil }
