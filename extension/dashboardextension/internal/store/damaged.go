// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
)

// damagedFolder holds the blocks that cannot be read, for repair by an operator. The store
// neither reads nor removes them.
const damagedFolder = "damaged"

// damaged are the blocks that a query could not read. A block that opens can still contain
// damage, which is detected when a query reads that part.
type damaged struct {
	mutex  sync.Mutex
	blocks map[string]error
}

func (d *damaged) note(block string, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.blocks == nil {
		d.blocks = map[string]error{}
	}
	d.blocks[block] = err
}

func (d *damaged) none() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return len(d.blocks) == 0
}

// take returns and removes the recorded damage of a block.
func (d *damaged) take(block string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	err := d.blocks[block]
	delete(d.blocks, block)
	return err
}

// setDamagedAside moves blocks that cannot be opened, or in which a query found damage, to
// damagedFolder. The database does not start with a block that cannot be opened.
func (s *Store) setDamagedAside() error {
	entries, err := os.ReadDir(s.options.Directory)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if _, err := ulid.ParseStrict(name); err != nil || !entry.IsDir() {
			continue
		}
		block := filepath.Join(s.options.Directory, name)
		damage := s.damaged.take(name)
		if damage == nil {
			damage = openable(block)
		}
		if damage == nil {
			continue
		}
		if err := s.setAside(block, damage); err != nil {
			return err
		}
	}
	return nil
}

func openable(block string) error {
	opened, err := tsdb.OpenBlock(nil, block, nil, nil)
	if err != nil {
		return err
	}
	return opened.Close()
}

func (s *Store) setAside(block string, damage error) error {
	to := filepath.Join(s.options.Directory, damagedFolder, filepath.Base(block))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("cannot set a damaged block aside: %w", err)
	}
	if err := os.Rename(block, to); err != nil {
		return fmt.Errorf("cannot set a damaged block aside: %w", err)
	}
	s.options.Logger.Error("Block of the store is damaged; it is moved to the damaged folder, and its samples are missing",
		"block", to, "error", damage)
	return nil
}

// watch wraps a block and records the damage that a query finds in it.
func (s *Store) watch(reader tsdb.BlockReader) tsdb.BlockReader {
	if block, ok := reader.(*tsdb.Block); ok { // others are the head
		return watchedBlock{BlockReader: reader, name: block.Meta().ULID.String(), damaged: &s.damaged}
	}
	return reader
}

type watchedBlock struct {
	tsdb.BlockReader
	name    string
	damaged *damaged
}

func (b watchedBlock) note(err error) {
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, storage.ErrNotFound) {
		b.damaged.note(b.name, err)
	}
}

func (b watchedBlock) Index() (tsdb.IndexReader, error) {
	reader, err := b.BlockReader.Index()
	return watchedIndex{IndexReader: reader, block: b}, err
}

func (b watchedBlock) Chunks() (tsdb.ChunkReader, error) {
	reader, err := b.BlockReader.Chunks()
	return watchedChunks{ChunkReader: reader, block: b}, err
}

type watchedIndex struct {
	tsdb.IndexReader
	block watchedBlock
}

func (i watchedIndex) Postings(ctx context.Context, name string, values ...string) (index.Postings, error) {
	postings, err := i.IndexReader.Postings(ctx, name, values...)
	i.block.note(err)
	return postings, err
}

func (i watchedIndex) Series(ref storage.SeriesRef, builder *labels.ScratchBuilder, metas *[]chunks.Meta) error {
	err := i.IndexReader.Series(ref, builder, metas)
	i.block.note(err)
	return err
}

type watchedChunks struct {
	tsdb.ChunkReader
	block watchedBlock
}

func (c watchedChunks) ChunkOrIterable(meta chunks.Meta) (chunkenc.Chunk, chunkenc.Iterable, error) {
	chunk, iterable, err := c.ChunkReader.ChunkOrIterable(meta)
	c.block.note(err)
	return chunk, iterable, err
}
