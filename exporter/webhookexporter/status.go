// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// failureGrace is the time for which requests may fail before that is reported.
const failureGrace = 30 * time.Second

// statusReporter derives the component's status from the results of requests. What a person
// has to correct is reported at once, what is transient after failureGrace. What is wrong with
// one record does not concern the receiver, and is not reported.
type statusReporter struct {
	host component.Host

	mutex    sync.Mutex
	since    time.Time // requests fail; zero: they do not
	reported bool
	code     int  // of the response that is reported
	gone     bool // reported last
}

func (s *statusReporter) note(f failure, now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.gone:
	case f.reason == reasonGone:
		s.gone = true
		componentstatus.ReportStatus(s.host, componentstatus.NewPermanentErrorEvent(f.err))
	case f.err == nil:
		s.since = time.Time{}
		if s.reported {
			s.reported = false
			componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
		}
	case f.config || f.retry && s.persists(now):
		if !s.reported || s.code != f.status {
			s.reported, s.code = true, f.status
			componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(f.err))
		}
	}
}

// persists reports whether requests have failed for failureGrace.
func (s *statusReporter) persists(now time.Time) bool {
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since) >= failureGrace
}
