// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A file is the magic, then frames: length and CRC-32C of the record, both 4 bytes in
// little endian, and the record.
const (
	magic       = "CCAASJ1\n"
	frameHeader = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendFrame(to, record []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(record))) //nolint:gosec // records are a few KiB
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
	intact = true
	for len(rest) >= frameHeader {
		length := uint64(binary.LittleEndian.Uint32(rest))
		sum := binary.LittleEndian.Uint32(rest[4:])
		if length == 0 {
			return records, intact && len(bytes.Trim(rest, "\x00")) == 0
		}
		if length > uint64(len(rest)-frameHeader) {
			return records, intact
		}
		record := rest[frameHeader : frameHeader+length]
		rest = rest[frameHeader+length:]
		if crc32.Checksum(record, castagnoli) != sum {
			intact = intact && len(rest) == 0
			continue
		}
		records = append(records, record)
	}
	return records, intact
}
