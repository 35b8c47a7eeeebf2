// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package regularfile reads files that are read again while the collector runs. What is not a
// regular file is refused: opening a named pipe that nobody writes to blocks for ever.
package regularfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

var (
	// ErrDirectory is the cause of the error of a directory.
	ErrDirectory = errors.New("is a directory")
	// ErrNotRegular is the cause of the error of a pipe, a socket or a device.
	ErrNotRegular = errors.New("is not a regular file")
	// ErrTooLong is the cause of the error of a file above the limit.
	ErrTooLong = errors.New("is longer than")
)

// Open opens a regular file, or a symbolic link to one, for reading. It does not block. The error
// is an *fs.PathError.
func Open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "open", Path: path, Err: ErrDirectory}
	case !info.Mode().IsRegular():
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	default:
		return file, nil
	}
	return nil, errors.Join(err, file.Close())
}

// Read returns the content of a regular file, or of a symbolic link to one, that is at most limit
// bytes long.
func Read(path string, limit int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w %d bytes", ErrTooLong, limit)}
	}
	if err != nil {
		return nil, err
	}
	return content, nil
}
