// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package filestorageextension

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/filestorageextension/internal/boltfile"
)

// checkedStorage is the Collector's file storage, with a check of each file before it is
// opened.
type checkedStorage struct {
	storage.Extension
	directory string
	logger    *zap.Logger
}

// kinds of components begin the names of their files.
var kinds = []string{"receiver_", "processor_", "exporter_", "extension_", "connector_"}

// damagedMark is the suffix of quarantined files.
const damagedMark = ".damaged"

// Start checks the files before any is opened.
func (s *checkedStorage) Start(ctx context.Context, host component.Host) error {
	entries, err := os.ReadDir(s.directory)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.logger.Warn("State files cannot be checked", zap.Error(err))
	}
	for _, entry := range entries {
		if isState(entry.Name()) && isFile(filepath.Join(s.directory, entry.Name())) {
			s.quarantineDamaged(filepath.Join(s.directory, entry.Name()))
		}
	}
	return s.Extension.Start(ctx, host)
}

// GetClient names the directory in its errors.
func (s *checkedStorage) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	client, err := s.Extension.GetClient(ctx, kind, id, name)
	if err != nil {
		return nil, directoryError(s.directory, err)
	}
	return client, nil
}

// directoryError names the directory by its absolute path.
func directoryError(directory string, err error) error {
	if absolute, absErr := filepath.Abs(directory); absErr == nil {
		directory = absolute
	}
	return fmt.Errorf("directory: %s: cannot be used for state: %w (a relative path is relative to the working directory of the process)", directory, err)
}

// isFile is whether a path is a file, or a symbolic link to one, which is opened like one.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isState(name string) bool {
	if strings.HasSuffix(name, damagedMark) || strings.HasSuffix(name, ".backup") {
		return false
	}
	for _, kind := range kinds {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}

// quarantineDamaged renames a file if it is damaged.
func (s *checkedStorage) quarantineDamaged(path string) {
	damage := check(path)
	if damage == nil {
		return
	}
	aside := path + "." + time.Now().UTC().Format("20060102T150405.000Z") + damagedMark
	if err := os.Rename(path, aside); err != nil {
		s.logger.Error("State file is damaged and cannot be quarantined: move it out of the directory",
			zap.String("file", path), zap.NamedError("damage", damage), zap.Error(err))
		return
	}
	s.logger.Error("State file is damaged; it is quarantined, and its component starts without state. Other files are used",
		zap.String("file", path), zap.String("quarantined_as", aside), zap.Error(damage))
}

// check returns the damage of a file. One that is empty, in use by another process or
// unreadable has none: opening it reports that.
func check(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return nil
	}
	// Opened only for reading, bbolt reads only the two meta pages; and its lock
	// keeps writers away.
	database, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		if unusable(err) {
			return nil
		}
		return err
	}
	defer database.Close()
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	return boltfile.Check(file, info.Size())
}

// unusable reports whether a file could not be read, whatever its content.
func unusable(err error) bool {
	var path *os.PathError
	return errors.Is(err, berrors.ErrTimeout) || errors.As(err, &path)
}
