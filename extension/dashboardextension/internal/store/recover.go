// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// recoverInterval is the interval of attempts to recover a failed store.
const recoverInterval = 5 * time.Second

// failure is the reason why the store accepts no samples, or nil.
type failure struct{ cause atomic.Pointer[error] }

func (f *failure) get() error {
	if cause := f.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// fail stops the taking of samples. After a write to the log has failed, half a record
// may stand at its end, and what would be written behind it would be lost with the
// next start: so nothing is, until the database was opened afresh and has repaired it.
func (s *Store) fail(err error) {
	if s.failure.cause.CompareAndSwap(nil, &err) {
		s.options.Logger.Error("Store does not accept samples until its disk is writable", "error", err)
		s.options.Status(err)
	}
}

// recoverLoop reopens the database when the store has failed or a query has found a damaged
// block, until its context ends.
func (s *Store) recoverLoop(ctx context.Context) {
	ticker := time.NewTicker(recoverInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.failure.get() == nil && s.damaged.none() {
			continue
		}
		if err := s.recoverOnce(); err != nil {
			s.options.Logger.Debug("Store still does not accept samples", "error", err)
		}
	}
}

func (s *Store) recoverOnce() error {
	if err := s.reopen(); err != nil {
		return err
	}
	if s.failure.cause.Swap(nil) != nil {
		s.options.Logger.Warn("Store accepts samples again", "directory", s.options.Directory)
		s.options.Status(nil)
	}
	return nil
}

// reopen closes the database and opens it again, once the disk has free space.
func (s *Store) reopen() error {
	if free, known := freeBytes(s.options.Directory); known && free < s.options.MinFreeBytes {
		return syscall.ENOSPC
	}
	if err := s.probe(); err != nil {
		return err
	}
	s.use.Lock()
	defer s.use.Unlock()
	if s.db != nil {
		if err := s.db.Close(); err != nil {
			s.options.Logger.Warn("Store was not closed properly", "error", err)
		}
		s.db = nil
	}
	err := s.open()
	if err != nil {
		s.fail(err) // it may have been open until now
	}
	return err
}

// probe checks that the disk is writable.
func (s *Store) probe() error {
	path := filepath.Join(s.options.Directory, "probe")
	err := os.WriteFile(path, make([]byte, 1<<20), 0o600)
	if err := errors.Join(err, os.Remove(path)); err != nil {
		return fmt.Errorf("the disk is not writable: %w", err)
	}
	return nil
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
