// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package journal keeps the state of a component in one file: a sequence of records, each
// with a checksum, appended and synced to disk, and rewritten from the live state when the
// file has grown. A kill at any moment loses no record that Sync has confirmed.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// minRewrite is the size in bytes below which a file is not rewritten for its size.
const minRewrite = 1 << 20

// maxFile is the size in bytes beyond which a file is neither written nor read.
const maxFile = 1 << 30

// Snapshot returns the live state as records. Records that were appended before the call
// are part of it; records that are appended later may be applied to it again.
type Snapshot func() ([][]byte, error)

// Journal is an open file. Its methods are safe for concurrent use.
type Journal struct {
	path     string
	snapshot Snapshot

	mutex    sync.Mutex
	flushed  sync.Cond
	flushing bool   // one goroutine owns file, size and limit
	buffer   []byte // encoded records that are not in the file
	appended uint64 // number of records, those in the buffer included
	synced   uint64 // number of records that are on disk
	broken   bool   // a write has failed: the end of the file is undefined until the next rewrite
	closed   bool

	file  *os.File
	size  int64
	limit int64 // size at which the file is rewritten
}

// Create writes a new file with the live state, in the place of the one at the path.
func Create(path string, snapshot Snapshot) (*Journal, error) {
	j := &Journal{path: path, snapshot: snapshot}
	j.flushed.L = &j.mutex
	if err := j.rewrite(); err != nil {
		return nil, err
	}
	return j, nil
}

// Append adds records to what the next Sync writes. It never waits for the disk.
func (j *Journal) Append(records ...[]byte) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.appended += uint64(len(records))
	if !j.broken { // the rewrite takes the live state
		j.buffer = appendFrames(j.buffer, records...)
	}
}

// Sync returns when all records appended before are on disk. Concurrent calls share a write.
// After an error the next call writes the complete live state.
func (j *Journal) Sync() error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for target := j.appended; j.synced < target; {
		if j.flushing {
			j.flushed.Wait()
			continue
		}
		if err := j.exclusively(j.flush); err != nil {
			return err
		}
	}
	return nil
}

// Compact rewrites the file from the live state.
func (j *Journal) Compact() error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for j.flushing {
		j.flushed.Wait()
	}
	return j.exclusively(func([]byte, bool) error { return j.rewrite() })
}

// Close syncs and closes the file.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for j.flushing {
		j.flushed.Wait()
	}
	j.closed = true
	if j.file != nil {
		err = errors.Join(err, j.file.Close())
		j.file = nil
	}
	return err
}

// exclusively calls write without the mutex, while no other goroutine writes. All records
// that were appended before are on disk when it succeeds.
func (j *Journal) exclusively(write func(batch []byte, broken bool) error) error {
	if j.closed {
		return fmt.Errorf("%s: closed", j.path)
	}
	batch, broken, upTo := j.buffer, j.broken, j.appended
	j.buffer, j.flushing = nil, true
	j.mutex.Unlock()
	err := write(batch, broken)
	j.mutex.Lock()
	j.flushing = false
	j.flushed.Broadcast()
	if err != nil {
		j.broken, j.buffer = true, nil
		return err
	}
	if broken { // what was appended during the rewrite is not in the buffer
		j.broken = j.appended > upTo
	}
	j.synced = upTo
	return nil
}

func (j *Journal) flush(batch []byte, broken bool) error {
	if broken || j.size+int64(len(batch)) > j.limit {
		return j.rewrite()
	}
	n, err := j.file.Write(batch)
	j.size += int64(n)
	if err != nil {
		return err
	}
	return j.file.Sync()
}

// rewrite writes the live state beside the file, and renames it.
func (j *Journal) rewrite() error {
	records, err := j.snapshot()
	if err != nil {
		return err
	}
	for _, record := range records {
		if len(record) > maxRecord {
			return fmt.Errorf("%s: a record of %d bytes: must be at most %d", j.path, len(record), maxRecord)
		}
	}
	content := appendFrames([]byte(magic), records...)
	if len(content) > maxFile {
		return fmt.Errorf("%s: %d bytes: must be at most %d", j.path, len(content), maxFile)
	}
	if j.file != nil { // Windows does not replace an open file
		_ = j.file.Close()
		j.file = nil
	}
	if err = Replace(j.path, content); err != nil {
		return err
	}
	if j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	j.size = int64(len(content))
	j.limit = min(max(minRewrite, 2*j.size), maxFile)
	return nil
}

// Keep writes a file with records that are not in use, for people to look at. Read returns them.
func Keep(path string, records ...[]byte) error {
	return Replace(path, appendFrames([]byte(magic), records...))
}

// Replace writes a file so that after a crash the path holds the old content or the new.
func Replace(path string, content []byte) error {
	temporary := path + ".tmp"
	// What a crash left is removed, not followed: it may be a link to another file by now.
	if info, err := os.Lstat(temporary); err == nil && !info.IsDir() {
		if err = os.Remove(temporary); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary)) // what a full disk needs
	}
	if err = os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes a rename durable where directories can be synced.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = directory.Sync() // not on Windows, nor on all network file systems
	return directory.Close()
}

// Regular is an error that names the path where something else is than a regular file, or nothing.
func Regular(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %v: must be a regular file; remove it, or use another directory", path, info.Mode())
	}
	return nil
}

// Read returns the records of a file, in order; none where there is no file. A record that a
// crash cut off at the end is left out. A file that is damaged elsewhere is copied to
// damaged, and the records that are complete are returned.
func Read(path string) (records [][]byte, damaged string, err error) {
	if err = Regular(path); err != nil { // to open a pipe would wait for a writer
		return nil, "", err
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	content, err := readAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, "", err
	}
	records, intact := decode(content)
	if intact {
		return records, "", nil
	}
	damaged = path + ".damaged"
	return records, damaged, Replace(damaged, content)
}

func readAll(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes: must be at most %d; move the file away to start without it", file.Name(), info.Size(), maxFile)
	}
	content := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(file, maxFile))
	return content.Bytes(), err
}
