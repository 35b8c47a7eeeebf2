// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// MaxChunk is the maximum size of a chunk in bytes, and of its compressed messages after
// their decompression.
const MaxChunk = 64 << 20

// Compressions of the messages of a batch.
const (
	compressionNone = 0
	compressionGzip = 1
	compressionZstd = 4

	batchBit    = 0x80
	batchHeader = 1 + 2 + 4 + 4
	userChunk   = 0
)

// Chunk is what the broker delivers: consecutive messages that were written together.
type Chunk struct {
	First   int64     // offset of the first message
	Records int       // number of messages
	Written time.Time // by the clock of the broker
	entries []byte
	count   int
	user    bool
}

// Next is the offset after the chunk.
func (c *Chunk) Next() int64 { return c.First + int64(c.Records) }

// Size is the number of bytes that the chunk occupies.
func (c *Chunk) Size() int { return len(c.entries) }

// decodeChunk reads a chunk and verifies its checksum.
func decodeChunk(d *decoder) (*Chunk, error) {
	_ = d.uint8() // magic and version
	c := &Chunk{user: d.uint8() == userChunk, count: int(d.uint16()), Records: int(d.uint32())}
	c.Written = time.UnixMilli(int64(d.uint64())) //nolint:gosec // the broker's clock
	_ = d.uint64()                                // the term of the leader
	c.First = int64(d.uint64())                   //nolint:gosec // an offset
	sum, size := d.uint32(), int(d.uint32())
	_ = d.uint64() // length of the trailer, which is not delivered, and a reserved word
	c.entries = d.take(size)
	switch {
	case d.err != nil:
		return nil, d.err
	case crc32.ChecksumIEEE(c.entries) != sum:
		return nil, fmt.Errorf("chunk at offset %d: checksum mismatch", c.First)
	}
	return c, nil
}

// Messages calls use with every message of the chunk and its offset. A batch of messages
// that cannot be decompressed is one call with an error, which takes the place of all its
// messages.
func (c *Chunk) Messages(use func(offset int64, message []byte, err error)) {
	if !c.user {
		return
	}
	d, offset := decoder{rest: c.entries}, c.First
	for range c.count {
		if len(d.rest) > 0 && d.rest[0]&batchBit != 0 {
			offset += c.batch(&d, offset, use)
		} else {
			message := d.take(int(d.uint32()))
			use(offset, message, d.err)
			offset++
		}
		if d.err != nil {
			return
		}
	}
}

// batch reads an entry of several messages, and returns their number.
func (c *Chunk) batch(d *decoder, offset int64, use func(int64, []byte, error)) int64 {
	compression := d.uint8() & 0x70 >> 4
	count, size, stored := int(d.uint16()), int(d.uint32()), int(d.uint32())
	content, err := decompress(compression, d.take(stored), size)
	if err = errors.Join(d.err, err); err != nil {
		use(offset, nil, err)
		return int64(count)
	}
	messages := decoder{rest: content}
	for i := range count {
		message := messages.take(int(messages.uint32()))
		use(offset+int64(i), message, messages.err)
		if messages.err != nil {
			break
		}
	}
	return int64(count)
}

var unzstd, _ = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecoderConcurrency(1))

// decompress returns the size bytes that content holds.
func decompress(compression byte, content []byte, size int) ([]byte, error) {
	if size > MaxChunk {
		return nil, fmt.Errorf("batch of %d bytes; at most %d are read", size, MaxChunk)
	}
	switch compression {
	case compressionNone:
		return content, nil
	case compressionGzip:
		reader, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(reader, int64(size)))
	case compressionZstd:
		return unzstd.DecodeAll(content, nil)
	default:
		return nil, fmt.Errorf("compression %d is not supported; use none, gzip or zstd", compression)
	}
}

var enzstd, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))

// Compressed is an entry of one message, compressed with zstd.
func Compressed(message []byte) Entry {
	b := decoderSized(message)
	return Entry{Content: enzstd.EncodeAll(b, nil), uncompressed: len(b)}
}

// decoderSized is a message as a batch holds it, after its length.
func decoderSized(message []byte) []byte {
	b := make([]byte, 0, 4+len(message))
	n := len(message)
	b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) //nolint:gosec // the bytes of a number
	return append(b, message...)
}
