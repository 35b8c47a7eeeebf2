// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/tsdb"
)

// damagedFolder is where blocks go that cannot be read. Whoever wants to mend them
// finds them there; nothing here reads or removes them again.
const damagedFolder = "damaged"

// setDamagedAside moves the blocks that cannot be opened out of the database's way,
// which would not start with them.
func (s *Store) setDamagedAside() error {
	entries, err := os.ReadDir(s.options.Directory)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, err := ulid.ParseStrict(entry.Name()); err != nil || !entry.IsDir() {
			continue
		}
		block := filepath.Join(s.options.Directory, entry.Name())
		damage := openable(block)
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
	s.options.Logger.Error("A block of the store is damaged. It was set aside, and its time will be missing",
		"block", to, "error", damage)
	return nil
}
