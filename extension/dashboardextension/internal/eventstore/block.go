// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"

	"github.com/klauspost/compress/zstd"
)

// A block is a few thousand events of one hour, in the order of their channels: a header, a directory of
// its chunks, the sorted hashes of its channels, and the chunks, each compressed by itself. So a channel
// is found with one or two small reads, and is read by decompressing one chunk. All numbers are little endian.

const (
	headerSize  = 96
	entrySize   = 32
	chunkSize   = 128 << 10 // bytes, before compression
	maxChunk    = chunkSize + MaxEvent + 4
	maxChunks   = 1 << 12
	maxRows     = 1 << 20
	blockMagic  = "CCEV"
	blockFormat = 1

	stateAt = 5 // of the byte that says whether the block is erased; no checksum covers it
	erased  = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is the cause of errors about content that is not what was written.
var errDamaged = errors.New("damaged")

// header is what is known of a block without reading it.
type header struct {
	rows, chunks, hashes uint32
	seq                  uint64 // of the journal that its events were in
	minTime, maxTime     int64
	types, tenants       uint64
	directoryCRC         uint32
	dataSize             uint64
	raw                  uint64 // bytes before compression
	replaces             uint64 // 1 + the offset of the block in the place of which it is; 0: none
	dead                 bool   // erased
}

func (h *header) directorySize() int64 { return int64(h.chunks)*entrySize + int64(h.hashes)*4 }

func (h *header) size() int64 { return headerSize + h.directorySize() + int64(h.dataSize) } //nolint:gosec // decodeHeader bounds it

func (h *header) append(to []byte) []byte {
	start := len(to)
	to = append(to, blockMagic...)
	to = append(to, blockFormat, 0, 0, 0, 0, 0, 0, 0)
	le := binary.LittleEndian
	for _, n := range [...]uint32{h.rows, h.chunks, h.hashes} {
		to = le.AppendUint32(to, n)
	}
	for _, n := range [...]uint64{h.seq, uint64(h.minTime), uint64(h.maxTime), h.types, h.tenants} { //nolint:gosec // the bits are kept
		to = le.AppendUint64(to, n)
	}
	to = le.AppendUint32(to, h.directoryCRC)
	to = le.AppendUint32(to, 0)
	for _, n := range [...]uint64{h.dataSize, h.raw, h.replaces} {
		to = le.AppendUint64(to, n)
	}
	le.PutUint32(to[start+8:], crc32.Checksum(to[start+12:], castagnoli))
	return to
}

// decodeHeader decodes the header of a block of which room bytes are there.
func decodeHeader(b []byte, room int64) (h header, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) < headerSize || string(b[:4]) != blockMagic:
		return h, fmt.Errorf("header: %w", errDamaged)
	case b[4] != blockFormat:
		return h, fmt.Errorf("header: format %d is not known, this version knows %d", b[4], blockFormat)
	case le.Uint32(b[8:]) != crc32.Checksum(b[12:headerSize], castagnoli):
		return h, fmt.Errorf("header: checksum: %w", errDamaged)
	}
	h = header{
		rows: le.Uint32(b[12:]), chunks: le.Uint32(b[16:]), hashes: le.Uint32(b[20:]),
		seq: le.Uint64(b[24:]), minTime: int64(le.Uint64(b[32:])), maxTime: int64(le.Uint64(b[40:])), //nolint:gosec // the bits are kept
		types: le.Uint64(b[48:]), tenants: le.Uint64(b[56:]), directoryCRC: le.Uint32(b[64:]),
		dataSize: le.Uint64(b[72:]), raw: le.Uint64(b[80:]), replaces: le.Uint64(b[88:]),
		dead: b[stateAt] == erased,
	}
	if h.rows > maxRows || h.chunks > maxChunks || h.hashes > h.rows || h.dataSize > maxChunks*maxChunk || h.size() > room {
		return h, fmt.Errorf("header: sizes: %w", errDamaged)
	}
	return h, nil
}

// chunkEntry describes one chunk.
type chunkEntry struct {
	rows                uint32
	firstHash, lastHash uint32
	offset, size        uint32 // in the data
	raw                 uint32
	crc                 uint32
}

func (e *chunkEntry) append(to []byte) []byte {
	for _, n := range [...]uint32{e.rows, e.firstHash, e.lastHash, e.offset, e.size, e.raw, e.crc, 0} {
		to = binary.LittleEndian.AppendUint32(to, n)
	}
	return to
}

func decodeEntry(b []byte) chunkEntry {
	le := binary.LittleEndian
	return chunkEntry{
		rows: le.Uint32(b), firstHash: le.Uint32(b[4:]), lastHash: le.Uint32(b[8:]),
		offset: le.Uint32(b[12:]), size: le.Uint32(b[16:]), raw: le.Uint32(b[20:]), crc: le.Uint32(b[24:]),
	}
}

// codec compresses and decompresses chunks. It is safe for concurrent use by decoders.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newCodec() (*codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(chunkSize), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxChunk), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &codec{encoder, decoder}, nil
}

func (c *codec) close() {
	_ = c.encoder.Close()
	c.decoder.Close()
}

// encodeBlock encodes rows, which it sorts by channel and time. Rows have at least one element.
func (c *codec) encodeBlock(rows []row, seq, replaces uint64) ([]byte, header) {
	hashes := make([]uint32, len(rows))
	for i := range rows {
		hashes[i] = channelHash(rows[i].channel)
	}
	sort.Sort(byChannel{rows, hashes})
	h := header{rows: uint32(len(rows)), seq: seq, replaces: replaces, minTime: rows[0].time, maxTime: rows[0].time} //nolint:gosec // maxRows
	var directory []byte
	plain, data := make([]byte, 0, maxChunk), make([]byte, 0, 1<<20)
	entry := chunkEntry{}
	finish := func() {
		entry.offset = uint32(len(data)) //nolint:gosec // decodeHeader bounds it
		data = c.encoder.EncodeAll(plain, data)
		entry.size = uint32(len(data)) - entry.offset //nolint:gosec // as above
		entry.raw = uint32(len(plain))                //nolint:gosec // maxChunk
		entry.crc = crc32.Checksum(data[entry.offset:], castagnoli)
		directory = entry.append(directory)
		h.chunks++
		h.raw += uint64(len(plain))
		plain, entry = plain[:0], chunkEntry{}
	}
	for i := range rows {
		r := &rows[i]
		h.minTime, h.maxTime = min(h.minTime, r.time), max(h.maxTime, r.time)
		h.types |= typeBit(r.typ)
		if r.flags&flagAbnormal != 0 {
			h.types |= abnormalBit
		}
		h.tenants |= tenantBit(r.tenant)
		if entry.rows == 0 {
			entry.firstHash = hashes[i]
		}
		entry.rows++
		entry.lastHash = hashes[i]
		plain = prefixed(plain, r.encoded)
		if len(plain) >= chunkSize {
			finish()
		}
	}
	if entry.rows > 0 {
		finish()
	}
	for _, hash := range slices.Compact(hashes) {
		directory = binary.LittleEndian.AppendUint32(directory, hash)
		h.hashes++
	}
	h.dataSize = uint64(len(data))
	h.directoryCRC = crc32.Checksum(directory, castagnoli)
	block := h.append(make([]byte, 0, h.size()))
	block = append(block, directory...)
	return append(block, data...), h
}

// byChannel sorts rows together with the hashes of their channels.
type byChannel struct {
	rows   []row
	hashes []uint32
}

func (s byChannel) Len() int { return len(s.rows) }

func (s byChannel) Less(i, j int) bool {
	if s.hashes[i] != s.hashes[j] {
		return s.hashes[i] < s.hashes[j]
	}
	return s.rows[i].time < s.rows[j].time
}

func (s byChannel) Swap(i, j int) {
	s.rows[i], s.rows[j] = s.rows[j], s.rows[i]
	s.hashes[i], s.hashes[j] = s.hashes[j], s.hashes[i]
}

// mayHold reports whether a block at an offset holds the hash of a channel. The hashes are evenly
// distributed, so the place of one is known approximately: mostly one read is enough.
func mayHold(file io.ReaderAt, offset int64, h *header, hash uint32) (bool, error) {
	base := offset + headerSize + int64(h.chunks)*entrySize
	low, high := int64(0), int64(h.hashes)
	var buffer [128 * 4]byte
	for window := int64(len(buffer) / 4); low < high; {
		expected := int64(uint64(hash) * uint64(h.hashes) >> 32) //nolint:gosec // it is less than hashes
		from := min(max(low, min(expected, high-1)-window/2), high)
		n := min(window, high-from)
		if _, err := file.ReadAt(buffer[:4*n], base+4*from); err != nil {
			return false, err
		}
		at := func(i int64) uint32 { return binary.LittleEndian.Uint32(buffer[4*i:]) }
		switch {
		case hash < at(0):
			high = from
		case hash > at(n-1):
			low = from + n
		default:
			i := sort.Search(int(n), func(i int) bool { return at(int64(i)) >= hash })
			return at(int64(i)) == hash, nil
		}
	}
	return false, nil
}

// readBlock calls yield with each row of the block at an offset; with a channel's hash other than 0, with
// those of the chunks that hold it. The rows are valid until yield returns. Chunks that cannot be read are
// skipped: the number of rows in them is lost. It ends with the error of yield.
func (c *codec) readBlock(file io.ReaderAt, offset int64, h *header, hash uint32, yield func(*row) error) (lost int, err error) {
	directory := make([]byte, int64(h.chunks)*entrySize+4*int64(h.hashes))
	if _, err := file.ReadAt(directory, offset+headerSize); err != nil || crc32.Checksum(directory, castagnoli) != h.directoryCRC {
		return int(h.rows), nil //nolint:nilerr // it is reported as a loss
	}
	base := offset + headerSize + h.directorySize()
	var packed, plain []byte
	for i := range int(h.chunks) {
		entry := decodeEntry(directory[i*entrySize:])
		if hash != 0 && (hash < entry.firstHash || hash > entry.lastHash) {
			continue
		}
		if uint64(entry.offset)+uint64(entry.size) > h.dataSize || entry.raw > maxChunk {
			lost += int(entry.rows)
			continue
		}
		packed = slices.Grow(packed[:0], int(entry.size))[:entry.size]
		if _, err := file.ReadAt(packed, base+int64(entry.offset)); err != nil || crc32.Checksum(packed, castagnoli) != entry.crc {
			lost += int(entry.rows)
			continue
		}
		if plain, err = c.decoder.DecodeAll(packed, slices.Grow(plain[:0], int(entry.raw))); err != nil || len(plain) != int(entry.raw) {
			lost += int(entry.rows)
			continue
		}
		n, err := eachRow(plain, yield)
		if err != nil {
			return lost, err
		}
		lost += max(0, int(entry.rows)-n)
	}
	return lost, nil
}

// eachRow calls yield with each of rows that are preceded by their length, and returns their number.
func eachRow(rows []byte, yield func(*row) error) (n int, err error) {
	for len(rows) > 0 {
		encoded, rest, ok := cutRow(rows)
		if !ok {
			break
		}
		if r, ok := decodeRow(encoded); ok {
			if err := yield(&r); err != nil {
				return n, err
			}
			n++
		}
		rows = rest
	}
	return n, nil
}
