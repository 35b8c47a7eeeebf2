// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package envelope puts saved state in an envelope: one byte of version, the CRC-32C of
// the content in little endian, and the content.
package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Size is the number of bytes that an envelope adds to its content.
const Size = 1 + crc32.Size

var (
	// ErrTruncated is returned for a value that is shorter than an envelope.
	ErrTruncated = errors.New("truncated")
	// ErrChecksum is returned for a value whose content does not match its checksum.
	ErrChecksum = errors.New("checksum mismatch")
)

// VersionError is returned for a value of a version that is not supported.
type VersionError struct{ Version, Oldest, Newest byte }

func (e *VersionError) Error() string {
	return fmt.Sprintf("has version %d, this collector reads %d to %d", e.Version, e.Oldest, e.Newest)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns content in an envelope.
func Encode(version byte, content []byte) []byte {
	return Seal(append(make([]byte, Size, Size+len(content)), content...), version)
}

// Seal completes an envelope in place: the first Size bytes of value are reserved for it.
func Seal(value []byte, version byte) []byte {
	value[0] = version
	binary.LittleEndian.PutUint32(value[1:], crc32.Checksum(value[Size:], castagnoli))
	return value
}

// Decode checks an envelope and returns its version and content, which is not copied.
// The error is ErrTruncated, ErrChecksum or a *VersionError.
func Decode(value []byte, oldest, newest byte) (version byte, content []byte, err error) {
	switch {
	case len(value) < Size:
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrTruncated, len(value))
	case value[0] < oldest || value[0] > newest:
		return 0, nil, &VersionError{value[0], oldest, newest}
	case binary.LittleEndian.Uint32(value[1:]) != crc32.Checksum(value[Size:], castagnoli):
		return 0, nil, ErrChecksum
	}
	return value[0], value[Size:], nil
}
