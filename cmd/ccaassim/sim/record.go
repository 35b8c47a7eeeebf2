// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
)

// record writes every event, and what became of it, to a file of JSON lines. A
// nil record writes nothing.
type record struct {
	file   *os.File
	buffer *bufio.Writer
	line   []byte
}

func openRecord(path string) (*record, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	return &record{file: file, buffer: bufio.NewWriter(file)}, nil
}

// write adds the events of a batch, with their true time in unix nanoseconds.
func (r *record) write(b *batch, e *encoder, t *Trouble) error {
	if r == nil {
		return nil
	}
	for n := range b.items {
		i := &b.items[n]
		if i.malformed != wellFormed {
			continue
		}
		r.line = append(r.line[:0], `{"outcome":"`...)
		r.line = append(r.line, b.fate(n).String()...)
		r.line = append(r.line, `","duplicate":`...)
		r.line = strconv.AppendBool(r.line, i.duplicate)
		r.line = append(r.line, `,"time":`...)
		r.line = strconv.AppendInt(r.line, b.times[n], 10)
		r.line = append(r.line, `,"event":`...)
		r.line = e.item(r.line, i, b.times[n], t)
		r.line = append(r.line, "}\n"...)
		if _, err := r.buffer.Write(r.line); err != nil {
			return err
		}
	}
	return nil
}

func (r *record) flush() error {
	if r == nil {
		return nil
	}
	return r.buffer.Flush()
}

func (r *record) close() error {
	if r == nil {
		return nil
	}
	if err := r.buffer.Flush(); err != nil {
		_ = r.file.Close()
		return err
	}
	return r.file.Close()
}
