// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// eventLog writes every event and its outcome to a file of JSON lines. A
// nil log writes nothing.
type eventLog struct {
	encoder *realtime.Encoder
	file    *os.File
	buffer  *bufio.Writer
	line    []byte
}

func openEventLog(path string, series []traffic.Series, timestamp config.TimestampForm) (*eventLog, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	return &eventLog{encoder: realtime.NewEncoder(series, timestamp), file: file, buffer: bufio.NewWriter(file)}, nil
}

// write adds the events of a batch, with their true time in unix nanoseconds.
func (r *eventLog) write(b *truth.Batch, t *fault.Trouble) error {
	if r == nil {
		return nil
	}
	for n := range b.Items {
		i := &b.Items[n]
		if i.Malformed != fault.WellFormed {
			continue
		}
		r.line = append(r.line[:0], `{"outcome":"`...)
		r.line = append(r.line, b.Outcome(n).String()...)
		r.line = append(r.line, `","duplicate":`...)
		r.line = strconv.AppendBool(r.line, i.Duplicate)
		r.line = append(r.line, `,"time":`...)
		r.line = strconv.AppendInt(r.line, b.Times[n], 10)
		if i.Event.Reconnect() {
			r.line = append(r.line, `,"reconnect_of":"`...)
			r.line = append(api.AppendUUID(r.line, i.Event.Replaces), '"')
		}
		r.line = append(r.line, `,"event":`...)
		r.line = r.encoder.Item(r.line, i, b.Times[n], t)
		r.line = append(r.line, "}\n"...)
		if _, err := r.buffer.Write(r.line); err != nil {
			return err
		}
	}
	return nil
}

func (r *eventLog) flush() error {
	if r == nil {
		return nil
	}
	return r.buffer.Flush()
}

func (r *eventLog) close() error {
	if r == nil {
		return nil
	}
	if err := r.buffer.Flush(); err != nil {
		_ = r.file.Close()
		return err
	}
	return r.file.Close()
}
