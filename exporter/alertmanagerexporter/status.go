// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// grace is how long a receiver may fail before the component's status shows it.
const grace = 30 * time.Second

// receiverSource begins the names of the sources that are receivers.
const receiverSource = "receiver "

// status combines failures by source into the component's status.
type status struct {
	host component.Host

	mutex    sync.Mutex
	failing  map[string]failure
	reported string // the error that is reported; empty: none
}

type failure struct {
	err   error
	since time.Time
	now   bool // shown without grace
}

func newStatus() *status { return &status{failing: map[string]failure{}} }

// set records the result of a source. What is urgent shows at once.
func (s *status) set(source string, err error, urgent bool, now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil {
		delete(s.failing, source)
	} else {
		f := s.failing[source]
		if f.since.IsZero() {
			f.since = now
		}
		f.err, f.now = err, urgent
		s.failing[source] = f
	}
	s.report(now)
}

// clear forgets the failures of the sources whose names begin with a prefix.
func (s *status) clear(prefix string, now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	maps.DeleteFunc(s.failing, func(source string, _ failure) bool { return strings.HasPrefix(source, prefix) })
	s.report(now)
}

func (s *status) report(now time.Time) {
	var errs []error
	for _, source := range slices.Sorted(maps.Keys(s.failing)) {
		if f := s.failing[source]; f.now || now.Sub(f.since) >= grace {
			errs = append(errs, f.err)
		}
	}
	err := errors.Join(errs...)
	text := ""
	if err != nil {
		text = err.Error()
	}
	if s.host == nil || text == s.reported {
		return
	}
	s.reported = text
	if err == nil {
		componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
	} else {
		componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(err))
	}
}
