// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/calendar"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/regularfile"
)

// calendarFile is an iCalendar file and the position of its events in a calendar.
type calendarFile struct {
	path     string
	zone     *time.Location
	calendar *calendar.Calendar
	position int
	changed  func() // called after new events are in force, under the lock of the engine; may be nil
	modified time.Time
	size     int64
	loaded   bool   // events of it are in force
	failure  string // of the latest attempt, so that it is logged once
}

// maxCalendarSize bounds what is read.
const maxCalendarSize = 10 << 20

// read reads the file if it has changed since the last read. It returns neither events nor
// an error if it has not.
func (f *calendarFile) read(now time.Time) (*calendar.Events, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		f.modified, f.size = time.Time{}, 0
		return nil, err
	}
	if info.ModTime().Equal(f.modified) && info.Size() == f.size {
		return nil, nil //nolint:nilnil // unchanged
	}
	f.modified, f.size = info.ModTime(), info.Size()
	events, err := readCalendar(f.path, f.zone, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return events, nil
}

// readCalendar reads a calendar file. Its errors name the line, and not the path.
func readCalendar(path string, zone *time.Location, now time.Time) (*calendar.Events, error) {
	file, err := regularfile.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if info.Size() > maxCalendarSize {
		return nil, fmt.Errorf("is %d bytes long, at most %d are read", info.Size(), maxCalendarSize)
	}
	return calendar.ParseEvents(io.LimitReader(file, maxCalendarSize), zone, now)
}

// withoutPath returns the cause of an error that names a path.
func withoutPath(err error) error {
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		return inPath.Err
	}
	return err
}

// checkCalendar returns an error where a path is not that of a calendar file that can
// be read.
func checkCalendar(path string, zone *time.Location) error {
	if scheme, rest, found := strings.Cut(path, "://"); found {
		if end := strings.IndexAny(rest, "/?#"); end >= 0 {
			rest = rest[:end]
		}
		host := rest[strings.LastIndex(rest, "@")+1:] // what is around it is often a secret
		return fmt.Errorf("ical: %s://%s…: must be a file, not a URL; download it (say every hour with cron: curl -fsSo), and set the path: a changed file is read again",
			scheme, host)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("ical: %q: %w", path, err)
	}
	if _, kept := calendarsInForce.Of(calendarKey(path, zone)); kept {
		return nil // these are in force until the file can be read
	}
	if _, err := readCalendar(absolute, zone, time.Now()); err != nil {
		hint := ""
		if !filepath.IsAbs(path) {
			hint = " (a relative path is relative to the working directory of the process)"
		}
		return fmt.Errorf("ical: %s: cannot be read: %w%s", absolute, err, hint)
	}
	return nil
}

// readCalendars reads the calendar files that have changed, without holding the lock. A
// file that cannot be read leaves its last good events in force.
func (e *evaluator) readCalendars(ctx context.Context) { e.readCalendarsOf(ctx, e.rules()) }

func (e *evaluator) readCalendarsOf(ctx context.Context, set *ruleSet) {
	for _, file := range set.files {
		events, err := file.read(time.Now())
		switch {
		case err != nil:
			e.telemetry.AlertCalendarFailures.Add(ctx, 1)
			if kept, ok := calendarsInForce.Of(file.key()); ok && !file.loaded {
				e.setCalendar(file, kept)
			}
			if file.failure != err.Error() {
				e.logger.Error(file.failureMessage(), zap.Error(err))
			}
			file.failure = err.Error()
		case events != nil:
			e.setCalendar(file, events)
			calendarsInForce.Keep(file.key(), events)
			e.logger.Info("Calendar file loaded", zap.String("ical", file.path))
			file.failure = ""
		}
	}
}

func (e *evaluator) setCalendar(file *calendarFile, events *calendar.Events) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	file.set(events)
	file.loaded = true
}

// calendarsInForce are the events that this process has loaded, by calendarKey.
var calendarsInForce regularfile.InForce[*calendar.Events]

// calendarKey names the events of a file: floating times are in its zone.
func calendarKey(path string, zone *time.Location) string { return path + "\n" + zone.String() }

func (f *calendarFile) key() string { return calendarKey(f.path, f.zone) }

// set puts events into force.
func (f *calendarFile) set(events *calendar.Events) {
	f.calendar.Set(f.position, events)
	if f.changed != nil {
		f.changed()
	}
}

func (f *calendarFile) failureMessage() string {
	if f.loaded {
		return "Calendar file not readable; its last good events stay in force"
	}
	return "Calendar file not readable; none of its events are in force: nothing is muted or excluded by it until it can be read"
}
