// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chunkOf encodes a chunk as a broker delivers it.
func chunkOf(kind byte, first uint64, records int, entries ...[]byte) []byte {
	content := bytes.Join(entries, nil)
	b := []byte{0x50, kind}
	b = binary.BigEndian.AppendUint16(b, uint16(len(entries)))
	b = binary.BigEndian.AppendUint32(b, uint32(records))
	b = binary.BigEndian.AppendUint64(b, 1_700_000_000_000)
	b = binary.BigEndian.AppendUint64(b, 3)
	b = binary.BigEndian.AppendUint64(b, first)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(content))
	b = binary.BigEndian.AppendUint32(b, uint32(len(content)))
	return append(append(b, make([]byte, 8)...), content...)
}

func single(content string) []byte { return decoderSized(AppendMessage(nil, []byte(content))) }

// batchOf encodes an entry of several messages.
func batchOf(compression byte, stored []byte, count, size int) []byte {
	b := []byte{batchBit | compression<<4}
	b = binary.BigEndian.AppendUint16(b, uint16(count))
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	return append(binary.BigEndian.AppendUint32(b, uint32(len(stored))), stored...)
}

func decoded(t testing.TB, frame []byte) *Chunk {
	t.Helper()
	c, err := decodeChunk(&decoder{rest: frame})
	require.NoError(t, err)
	return c
}

type found struct {
	offset int64
	data   string
	failed bool
}

func messagesOf(c *Chunk) (all []found) {
	c.Messages(func(offset int64, message []byte, err error) {
		data, dataErr := Data(message)
		all = append(all, found{offset, string(data), err != nil || dataErr != nil})
	})
	return all
}

func TestChunk_MessagesAndBatches(t *testing.T) {
	t.Parallel()
	plain := append(single("b"), single("c")...)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	big := strings.Repeat("d", 5_000)
	compressed := Compressed(AppendMessage(nil, []byte(big)))
	c := decoded(t, chunkOf(userChunk, 40, 9,
		single("a"), batchOf(compressionNone, plain, 2, len(plain)), batchOf(compressionGzip, zipped.Bytes(), 2, len(plain)),
		batchOf(3, plain, 2, len(plain)), batchOf(compressionZstd, compressed.Content, 1, compressed.uncompressed), single("e")))
	assert.Equal(t, []found{
		{40, "a", false},
		{41, "b", false},
		{42, "c", false},
		{43, "b", false},
		{44, "c", false},
		{45, "", true},
		{47, big, false},
		{48, "e", false},
	}, messagesOf(c), "an unsupported compression does not affect the messages after it")
	assert.Equal(t, int64(49), c.Next())
	assert.Equal(t, time.UnixMilli(1_700_000_000_000), c.Written)
}

func TestChunk_OfTheBrokerHasNoMessages(t *testing.T) {
	t.Parallel()
	assert.Empty(t, messagesOf(decoded(t, chunkOf(1, 7, 1, []byte("offsets")))))
}

func TestChunk_DamageIsAnError(t *testing.T) {
	t.Parallel()
	frame := chunkOf(userChunk, 0, 1, single("a"))
	frame[len(frame)-1]++
	_, err := decodeChunk(&decoder{rest: frame})
	require.ErrorContains(t, err, "chunk at offset 0: checksum mismatch")
	_, err = decodeChunk(&decoder{rest: frame[:20]})
	require.ErrorIs(t, err, errTruncated)
}

func TestData(t *testing.T) {
	t.Parallel()
	properties := []byte{0x00, 0x53, 0x73, 0xc0, 0x04, 0x02, 0xa1, 0x01, 'x'}
	longDescriptor := append([]byte{0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x75}, 0xa0, 0x01, 'q')
	for name, test := range map[string]struct {
		message []byte
		data    string
		err     error
	}{
		"short":           {AppendMessage(nil, []byte("x")), "x", nil},
		"long":            {AppendMessage(nil, bytes.Repeat([]byte("x"), 300)), strings.Repeat("x", 300), nil},
		"other sections":  {append(append([]byte(nil), properties...), AppendMessage(nil, []byte("x"))...), "x", nil},
		"two sections":    {append(AppendMessage(nil, []byte("x")), AppendMessage(nil, []byte("y"))...), "xy", nil},
		"long descriptor": {longDescriptor, "q", nil},
		"no data":         {properties, "", errNoData},
		"empty":           {nil, "", errNoData},
		"text":            {[]byte("text"), "", errNoData},
		"string":          {[]byte{0x00, 0x53, 0x75, 0xa1, 0x01, 'x'}, "", errNoData},
		"truncated":       {AppendMessage(nil, []byte("xyz"))[:6], "", errNoData},
	} {
		data, err := Data(test.message)
		require.ErrorIs(t, err, test.err, name)
		assert.Equal(t, test.data, string(data), name)
	}
}

// Every frame is an error or a chunk, of which every message has an offset of its own.
func FuzzChunk(f *testing.F) {
	f.Add(chunkOf(userChunk, 40, 3, single("a"), batchOf(0, single("b"), 1, 10)))
	compressed := Compressed(AppendMessage(nil, []byte("abc")))
	f.Add(chunkOf(userChunk, 1, 1, batchOf(compressionZstd, compressed.Content, 1, compressed.uncompressed)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) >= 40 { // past the checksum
			if size := int(binary.BigEndian.Uint32(frame[36:])); len(frame) >= 48+size && size >= 0 {
				binary.BigEndian.PutUint32(frame[32:], crc32.ChecksumIEEE(frame[48:48+size]))
			}
		}
		c, err := decodeChunk(&decoder{rest: frame})
		if err != nil {
			return
		}
		last := c.First - 1
		c.Messages(func(offset int64, message []byte, _ error) {
			require.Greater(t, offset, last)
			last = offset
			_, _ = Data(message)
		})
	})
}

func FuzzData(f *testing.F) {
	f.Add(AppendMessage(nil, []byte("x")))
	f.Add([]byte{0x00, 0x53, 0x73, 0xd0, 0, 0, 0, 4, 0x02, 0xa1, 0x01, 'x'})
	f.Fuzz(func(t *testing.T, message []byte) {
		data, err := Data(message)
		if err == nil {
			again, err := Data(AppendMessage(nil, data))
			require.NoError(t, err)
			require.Equal(t, string(data), string(again))
		}
	})
}
