// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package deadletter keeps records that were given up in a file of bounded size.
package deadletter

import (
	"errors"
	"os"
)

// File holds letters, one per line. A full file is renamed to path.1, which replaces the one
// before, so that both together hold at most twice limit bytes, and one letter. It is not safe
// for concurrent use.
type File struct {
	path  string
	limit int64
	file  *os.File
	size  int64
}

// New returns a file that is not open yet; limit is in bytes.
func New(path string, limit int64) *File { return &File{path: path, limit: limit} }

// Open opens the file, and creates it where it does not exist. A line that was cut off by a
// crash is terminated, so that the next letter is intact.
func (f *File) Open() error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.size = file, info.Size()
	if last := make([]byte, 1); f.size > 0 {
		if _, err = file.ReadAt(last, f.size-1); err == nil && last[0] != '\n' {
			err = f.write([]byte{'\n'})
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// Keep writes a letter and syncs the file.
func (f *File) Keep(letter *Letter) error {
	text, err := letter.Line()
	if err != nil {
		return err
	}
	if f.file == nil || f.size > 0 && f.size+int64(len(text)) > f.limit {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if err := f.write(text); err != nil {
		return errors.Join(err, f.file.Truncate(f.size)) // half a line would spoil the next
	}
	return f.file.Sync()
}

// rotate begins a new file. After a failure the next Keep tries again.
func (f *File) rotate() error {
	if f.file != nil {
		if err := f.Close(); err != nil {
			return err
		}
		if err := os.Rename(f.path, f.path+".1"); err != nil {
			return err
		}
	}
	return f.Open()
}

func (f *File) write(text []byte) error {
	n, err := f.file.Write(text)
	if err == nil {
		f.size += int64(n)
	}
	return err
}

// Close closes the file.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}
