// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A file is the magic, then frames: length and CRC-32C of the record, both 4 bytes in
// little endian, and the record.
const (
	magic       = "CCAASJ1\n"
	frameHeader = 8
)

// maxRecord bounds a record: a snapshot of all silences or notifications is one.
const maxRecord = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrames grows at most once: of a snapshot, a file that grows by halves would be several times in memory.
func appendFrames(to []byte, records ...[]byte) []byte {
	size := 0
	for _, record := range records {
		size += frameHeader + len(record)
	}
	to = slices.Grow(to, size)
	for _, record := range records {
		to = appendFrame(to, record)
	}
	return to
}

func appendFrame(to, record []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(record))) //nolint:gosec // at most maxRecord
	to = binary.LittleEndian.AppendUint32(to, crc32.Checksum(record, castagnoli))
	return append(to, record...)
}

// decode returns the records of a file that are complete. It is intact unless something other
// than the end is damaged: a crash during an append cuts the end off, or leaves zeros.
func decode(content []byte) (records [][]byte, intact bool) {
	if len(content) < len(magic) {
		return nil, len(content) == 0 || bytes.HasPrefix([]byte(magic), content)
	}
	rest, found := bytes.CutPrefix(content, []byte(magic))
	if !found {
		return nil, false
	}
	s := searcher{budget: maxSearched * len(rest)}
	for intact = true; ; {
		record, next := frame(rest)
		if next > 0 {
			records = append(records, record)
			rest = rest[next:]
			continue
		}
		if len(bytes.Trim(rest, "\x00")) == 0 || len(rest) < frameHeader {
			return records, intact
		}
		next = s.next(rest)
		if next == 0 {
			// A crash leaves the beginning of one frame, and no other record behind it.
			torn := lengthOf(rest) > len(rest)-frameHeader && s.budget > 0
			return records, intact && torn
		}
		intact = false
		rest = rest[next:]
	}
}

// lengthOf is the length of the record at the beginning; 0: no length that a record has.
func lengthOf(content []byte) int {
	if length := binary.LittleEndian.Uint32(content); length <= maxRecord {
		return int(length)
	}
	return 0
}

// frame returns the record at the beginning, and where the next frame is; 0: no record that
// is complete.
func frame(content []byte) (record []byte, next int) {
	if len(content) < frameHeader {
		return nil, 0
	}
	length := lengthOf(content)
	if length == 0 || length > len(content)-frameHeader {
		return nil, 0
	}
	next = frameHeader + length
	record = content[frameHeader:next:next]
	if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(content[4:]) {
		return nil, 0
	}
	return record, next
}

// maxSearched bounds the bytes whose checksum is computed behind damage, as a multiple of the
// file: each offset may look like a header.
const maxSearched = 64

// searcher finds records behind damage.
type searcher struct{ budget int }

// next returns where the next record is that is complete, behind the first byte; 0: none.
func (s *searcher) next(content []byte) int {
	for i := 1; i+frameHeader < len(content) && s.budget > 0; i++ {
		length := lengthOf(content[i:])
		if length == 0 || length > len(content)-i-frameHeader {
			continue
		}
		s.budget -= length
		if _, next := frame(content[i:]); next > 0 {
			return i
		}
	}
	return 0
}
