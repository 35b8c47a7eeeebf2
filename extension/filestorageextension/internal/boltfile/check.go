// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package boltfile reports whether a bbolt database is sound, without opening it: bbolt
// itself panics over one that is not.
package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// checker walks the tree of pages.
type checker struct {
	file io.ReaderAt
	meta meta
	seen map[uint64]bool // pages
}

// Check reads all that a database holds, and says what is wrong with it.
func Check(file io.ReaderAt, size int64) error {
	m, err := readMeta(file)
	if err != nil {
		return err
	}
	if need := int64(m.pages) * int64(m.pageSize); size < need { //nolint:gosec // bounded in readMeta
		return fmt.Errorf("it is cut off: %d bytes, its pages take %d", size, need)
	}
	c := &checker{file: file, meta: m, seen: map[uint64]bool{0: true, 1: true}}
	if m.freelist != noFreelist {
		if _, err := c.load(m.freelist, freelistPage); err != nil {
			return fmt.Errorf("freelist: %w", err)
		}
	}
	return c.tree(m.root, bucketElement, nil, nil)
}

// tree checks a page and all below it. The elements of its leaves have the flags elements:
// the root holds buckets, and a bucket holds values. Its keys are from low on, and below
// high; nil is without bound.
func (c *checker) tree(id uint64, elements uint32, low, high []byte) error {
	p, err := c.load(id, branchPage|leafPage)
	if err != nil {
		return err
	}
	if p.flags == branchPage {
		err = c.branch(p, elements, low, high)
	} else {
		err = c.leaf(p, elements, low, high)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (c *checker) branch(p page, elements uint32, low, high []byte) error {
	keys, children := make([][]byte, p.count), make([]uint64, p.count)
	if p.count == 0 {
		return errors.New("a branch without children")
	}
	for i := range keys {
		at := headerSize + i*elementSize
		element := p.content[at : at+elementSize]
		key, err := p.part(at, binary.LittleEndian.Uint32(element), binary.LittleEndian.Uint32(element[4:]))
		if err != nil {
			return err
		}
		keys[i], children[i] = key, binary.LittleEndian.Uint64(element[8:])
	}
	if err := ordered(keys, low, high); err != nil {
		return err
	}
	for i, child := range children {
		end := high
		if i+1 < len(keys) {
			end = keys[i+1]
		}
		if err := c.tree(child, elements, keys[i], end); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) leaf(p page, elements uint32, low, high []byte) error {
	keys := make([][]byte, p.count)
	for i := range keys {
		at := headerSize + i*elementSize
		element := p.content[at : at+elementSize]
		flags, position := binary.LittleEndian.Uint32(element), binary.LittleEndian.Uint32(element[4:])
		keySize, valueSize := binary.LittleEndian.Uint32(element[8:]), binary.LittleEndian.Uint32(element[12:])
		both, err := p.part(at, position, keySize, valueSize)
		if err != nil {
			return err
		}
		keys[i] = both[:keySize]
		if flags != elements {
			return fmt.Errorf("element %d has the flags %d", i, flags)
		}
		if flags == bucketElement {
			if err := c.bucket(both[keySize:]); err != nil {
				return err
			}
		}
	}
	return ordered(keys, low, high)
}

// bucket checks what stands under the name of a bucket: a page of its own, or all of it.
func (c *checker) bucket(value []byte) error {
	if len(value) < bucketSize {
		return errors.New("a bucket is cut off")
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return c.tree(root, 0, nil, nil)
	}
	inline, err := parse(value[bucketSize:])
	if err != nil {
		return err
	}
	if inline.id != 0 || inline.flags != leafPage || inline.overflow != 0 {
		return fmt.Errorf("a bucket has page %d in it, with the flags %d and an overflow of %d", inline.id, inline.flags, inline.overflow)
	}
	return c.leaf(inline, 0, nil, nil)
}

// ordered returns an error where keys do not ascend, or are out of bounds. The first key of
// a child is that of its parent's element: bbolt finds the element by it when it replaces
// the child, and would otherwise leave both, of which one is on a page that it reuses.
func ordered(keys [][]byte, low, high []byte) error {
	if low != nil && len(keys) == 0 {
		return errors.New("a child without keys")
	}
	for i, key := range keys {
		switch {
		case len(key) == 0,
			low != nil && i == 0 && !bytes.Equal(key, low),
			i > 0 && bytes.Compare(key, keys[i-1]) <= 0,
			high != nil && bytes.Compare(key, high) >= 0:
			return fmt.Errorf("key %d is not in order", i)
		}
	}
	return nil
}
