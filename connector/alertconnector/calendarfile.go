// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/calendar"
)

// calendarFile is an iCalendar file and the place where its events belong.
type calendarFile struct {
	path     string
	zone     *time.Location
	calendar *calendar.Calendar
	position int
	modified time.Time
	size     int64
	failure  string // of the latest attempt, so that it is told once
}

// maxCalendarSize bounds what is read.
const maxCalendarSize = 10 << 20

// read reads the file when it has changed since it was read last. Without an error
// and events there is nothing new.
func (f *calendarFile) read(now time.Time) (*calendar.Events, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		f.modified, f.size = time.Time{}, 0
		return nil, err
	}
	if info.ModTime().Equal(f.modified) && info.Size() == f.size {
		return nil, nil //nolint:nilnil // no news
	}
	f.modified, f.size = info.ModTime(), info.Size()
	if info.Size() > maxCalendarSize {
		return nil, fmt.Errorf("%s: is %d bytes long, at most %d are read", f.path, info.Size(), maxCalendarSize)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	events, err := calendar.ParseEvents(file, f.zone, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return events, nil
}

// readCalendars reads the calendar files that have changed. One that cannot be
// read leaves its last good events in force.
//
// Reading takes its time, and is done without the lock.
func (e *evaluator) readCalendars(ctx context.Context) {
	for _, file := range e.files {
		events, err := file.read(time.Now())
		switch {
		case err != nil:
			e.telemetry.AlertCalendarFailures.Add(ctx, 1)
			if file.failure != err.Error() {
				e.logger.Error("A calendar file cannot be read; its last good events stay in force", zap.Error(err))
			}
			file.failure = err.Error()
		case events != nil:
			e.mutex.Lock()
			file.calendar.Set(file.position, events)
			e.mutex.Unlock()
			e.logger.Info("Read a calendar file", zap.String("ical", file.path))
			file.failure = ""
		}
	}
}
