// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/journal"
)

// Reason says why events of a minute are missing.
type Reason string

// The reasons.
const (
	Overload Reason = "overload"    // more arrived than could be written
	DiskFull Reason = "disk_full"   // the disk is full, or has less than min_free_bytes left
	TooOld   Reason = "too_old"     // older than the retention
	TooLarge Reason = "too_large"   // larger than an event may be
	MaxBytes Reason = "max_bytes"   // the events of one hour are max_bytes
	Damaged  Reason = "damaged"     // the file is damaged; the number is not always known
	Down     Reason = "not_running" // the collector did not run; the number is not known
)

const minute = int64(time.Minute)

// lossesFile keeps the losses; aliveFile is written every second.
const (
	lossesFile = "losses.json"
	aliveFile  = "alive"
)

// losses counts by minute of event time, and by reason, the events that are not stored.
type losses struct {
	mutex   sync.Mutex
	minutes map[int64]map[Reason]int64 // by unix minute
	changed bool
}

// readLosses reads what an earlier process wrote. A damaged file is an error, and no losses.
func readLosses(directory string) (*losses, error) {
	l := &losses{minutes: map[int64]map[Reason]int64{}}
	content, err := os.ReadFile(filepath.Join(directory, lossesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &l.minutes)
	}
	if err != nil || l.minutes == nil {
		l.minutes = map[int64]map[Reason]int64{}
	}
	return l, err
}

// count counts n events of a time. A number of 0 marks the minute as incomplete.
func (l *losses) count(reason Reason, t int64, n int64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.changed = true
	at := t / minute
	if l.minutes[at] == nil {
		l.minutes[at] = map[Reason]int64{}
	}
	l.minutes[at][reason] += n
}

// mark marks each minute from a time to another as incomplete.
func (l *losses) mark(reason Reason, from, to int64) {
	for at := from / minute; at <= to/minute; at++ {
		l.count(reason, at*minute, 0)
	}
}

// between are the losses of the minutes that overlap [from, to).
func (l *losses) between(from, to int64) map[int64]map[Reason]int64 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	found := map[int64]map[Reason]int64{}
	for at, reasons := range l.minutes {
		if (at+1)*minute > from && at*minute < to {
			found[at*minute] = maps.Clone(reasons)
		}
	}
	return found
}

// expire forgets minutes before a time.
func (l *losses) expire(before int64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for at := range l.minutes {
		if (at+1)*minute <= before {
			delete(l.minutes, at)
			l.changed = true
		}
	}
}

// save writes the losses, if they have changed.
func (l *losses) save(directory string) error {
	l.mutex.Lock()
	if !l.changed {
		l.mutex.Unlock()
		return nil
	}
	content, err := json.Marshal(l.minutes)
	l.changed = false
	l.mutex.Unlock()
	if err == nil {
		err = journal.Replace(filepath.Join(directory, lossesFile), content)
	}
	if err != nil {
		l.mutex.Lock()
		l.changed = true
		l.mutex.Unlock()
	}
	return err
}
