// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package retention decides which files of an archive are deleted.
package retention

import (
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// File is a file that is no longer written to.
type File struct {
	Name string
	Size int64
	End  time.Time // when it was rotated: no record in it is younger
}

// Reason is why a file is deleted.
type Reason string

// Reasons.
const (
	Age  Reason = "age"
	Size Reason = "size"
)

// Deletion is a file that is to be deleted.
type Deletion struct {
	File
	Reason Reason
}

// Limits bound an archive.
type Limits struct {
	MaxAge  time.Duration
	MaxSize int64 // bytes of all files, the current one included; 0: no limit
}

// Plan returns the files to delete, oldest first: those that ended more than MaxAge
// before now, and then the oldest until all files together have at most MaxSize.
// current is the size of the file that is written to, which is never deleted. kept are
// the other files, oldest first.
func Plan(files []File, current int64, now time.Time, limits Limits) (deleted []Deletion, kept []File) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int {
		if c := a.End.Compare(b.End); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	total := current
	for _, f := range files {
		total += f.Size
	}
	for _, f := range files {
		switch {
		case now.Sub(f.End) > limits.MaxAge:
			deleted = append(deleted, Deletion{f, Age})
		case limits.MaxSize > 0 && total > limits.MaxSize:
			deleted = append(deleted, Deletion{f, Size})
		default:
			kept = append(kept, f)
			continue
		}
		total -= f.Size
	}
	return deleted, kept
}

// timeFormat is that of the Collector's exporter, with milliseconds.
const timeFormat = "2006-01-02T15-04-05.000"

// Rotated is the path of a file that was rotated at a time, beside the current file.
func Rotated(path string, at time.Time) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + "-" + at.Format(timeFormat) + "-time" + extension
}

// End reads from the name of a file when it was rotated; false where it is no rotated
// file of the archive whose current file is path.
func End(path, name string, zone *time.Location) (time.Time, bool) {
	base := filepath.Base(path)
	extension := filepath.Ext(base)
	rest, found := strings.CutPrefix(name, strings.TrimSuffix(base, extension)+"-")
	if !found || !strings.HasSuffix(rest, extension) || len(rest) < len(timeFormat) {
		return time.Time{}, false
	}
	end, err := time.ParseInLocation(timeFormat, rest[:len(timeFormat)], zone)
	if err != nil {
		return time.Time{}, false
	}
	switch strings.TrimSuffix(rest[len(timeFormat):], extension) {
	case "", "-size", "-time":
		return end, true
	default:
		return time.Time{}, false
	}
}
