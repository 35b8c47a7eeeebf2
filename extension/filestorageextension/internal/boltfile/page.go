// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package boltfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// The format of bbolt, version 2, as little-endian machines write it.
const (
	magic   = 0xED0CDAED
	version = 2

	headerSize  = 16 // of a page: id, flags, count, overflow
	elementSize = 16 // of a branch or a leaf
	bucketSize  = 16 // of what stands before a bucket's inline page
	metaSize    = 64

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketElement = 0x01
	noFreelist    = math.MaxUint64
	maxPages      = 1 << 34
)

// meta is what the database begins with.
type meta struct {
	pageSize       uint32
	root, freelist uint64
	pages, change  uint64
}

// readMeta gives the later of the two metas that are sound.
func readMeta(file io.ReaderAt) (meta, error) {
	first, firstErr := metaAt(file, 0)
	if firstErr == nil {
		if second, err := metaAt(file, int64(first.pageSize)); err == nil && second.change > first.change {
			return second, nil
		}
		return first, nil
	}
	for size := int64(1 << 10); size <= 1<<16; size <<= 1 { // the first does not contain the place of the second
		if second, err := metaAt(file, size); err == nil && int64(second.pageSize) == size {
			return second, nil
		}
	}
	return meta{}, firstErr
}

func metaAt(file io.ReaderAt, at int64) (m meta, err error) {
	content := make([]byte, headerSize+metaSize)
	if _, err := file.ReadAt(content, at); err != nil {
		return m, fmt.Errorf("meta page: %w", err)
	}
	body := content[headerSize:]
	sum := fnv.New64a()
	_, _ = sum.Write(body[:metaSize-8])
	m = meta{
		pageSize: binary.LittleEndian.Uint32(body[8:]), root: binary.LittleEndian.Uint64(body[16:]),
		freelist: binary.LittleEndian.Uint64(body[32:]), pages: binary.LittleEndian.Uint64(body[40:]),
		change: binary.LittleEndian.Uint64(body[48:]),
	}
	switch {
	case binary.LittleEndian.Uint32(body) != magic, binary.LittleEndian.Uint32(body[4:]) != version:
		return m, errors.New("meta page: it is no bbolt database of version 2")
	case sum.Sum64() != binary.LittleEndian.Uint64(body[metaSize-8:]):
		return m, errors.New("meta page: the checksum is wrong")
	case m.pageSize < 1<<10 || m.pageSize > 1<<16 || m.pages > maxPages:
		return m, fmt.Errorf("meta page: %d pages of %d bytes", m.pages, m.pageSize)
	}
	return m, nil
}

// page is one page with those that it overflows into.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint32
	content  []byte
}

// load reads a page that has to be of one of the kinds.
func (c *checker) load(id uint64, kinds uint16) (page, error) {
	p, err := c.read(id)
	switch {
	case err != nil:
		return p, fmt.Errorf("page %d: %w", id, err)
	case p.id != id:
		return p, fmt.Errorf("page %d says that it is page %d", id, p.id)
	case p.flags&kinds == 0 || p.flags&(p.flags-1) != 0:
		return p, fmt.Errorf("page %d has the flags %d", id, p.flags)
	}
	return p, nil
}

func (c *checker) read(id uint64) (p page, err error) {
	size := int(c.meta.pageSize)
	header := make([]byte, headerSize)
	if id < 2 || id >= c.meta.pages {
		return p, fmt.Errorf("it is not among the %d pages", c.meta.pages)
	}
	at := int64(id) * int64(size) //nolint:gosec // maxPages
	if _, err := c.file.ReadAt(header, at); err != nil {
		return p, err
	}
	overflow := uint64(binary.LittleEndian.Uint32(header[12:]))
	if id+overflow >= c.meta.pages {
		return p, fmt.Errorf("it overflows into %d pages, there are %d", overflow, c.meta.pages)
	}
	for i := id; i <= id+overflow; i++ {
		if c.seen[i] {
			return p, fmt.Errorf("page %d is used twice", i)
		}
		c.seen[i] = true
	}
	content := make([]byte, size*(1+int(overflow))) //nolint:gosec // within the file
	if _, err := c.file.ReadAt(content, at); err != nil {
		return p, err
	}
	if binary.LittleEndian.Uint16(header[8:])&freelistPage != 0 {
		return page{id: binary.LittleEndian.Uint64(header), flags: freelistPage}, freelistFits(content)
	}
	return parse(content)
}

// freelistFits says when a list of free pages is longer than its page.
func freelistFits(content []byte) error {
	count, begin := uint64(binary.LittleEndian.Uint16(content[10:])), uint64(headerSize)
	if count == math.MaxUint16 {
		count, begin = binary.LittleEndian.Uint64(content[headerSize:]), headerSize+8
	}
	if count > (uint64(len(content))-begin)/8 {
		return fmt.Errorf("it lists %d free pages in %d bytes", count, len(content))
	}
	return nil
}

// parse reads the header of a branch or leaf page.
func parse(content []byte) (p page, err error) {
	if len(content) < headerSize {
		return p, errors.New("it is cut off")
	}
	p = page{
		id: binary.LittleEndian.Uint64(content), flags: binary.LittleEndian.Uint16(content[8:]),
		count: int(binary.LittleEndian.Uint16(content[10:])), overflow: binary.LittleEndian.Uint32(content[12:]),
		content: content,
	}
	if headerSize+p.count*elementSize > len(content) {
		return p, fmt.Errorf("it has %d elements in %d bytes", p.count, len(content))
	}
	return p, nil
}

// part gives the bytes that an element, itself at a place in the page, says are at a
// position behind it.
func (p *page) part(at int, position uint32, sizes ...uint32) ([]byte, error) {
	begin := uint64(at) + uint64(position) //nolint:gosec // at is within the page
	end := begin
	for _, size := range sizes {
		end += uint64(size)
	}
	if begin < uint64(headerSize+p.count*elementSize) || end > uint64(len(p.content)) { //nolint:gosec // see parse
		return nil, fmt.Errorf("an element reaches from byte %d to %d, of %d", begin, end, len(p.content))
	}
	return p.content[begin:end], nil
}
