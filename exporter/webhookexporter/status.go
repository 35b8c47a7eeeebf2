// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// blip is how long a receiver may be in trouble before that shows in the
// component's status.
const blip = 30 * time.Second

// status makes the component's status out of what comes of requests. What a person
// must mend shows at once, what may pass only after a blip. What is wrong with one
// record says nothing of the receiver, and does not show.
type status struct {
	host component.Host

	mutex sync.Mutex
	since time.Time // requests fail; zero: they do not
	shown bool
	code  int  // of the answer that is shown
	gone  bool // which is the last that is said
}

func (s *status) note(f failure, now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.gone:
	case f.reason == reasonGone:
		s.gone = true
		componentstatus.ReportStatus(s.host, componentstatus.NewPermanentErrorEvent(f.err))
	case f.err == nil:
		s.since = time.Time{}
		if s.shown {
			s.shown = false
			componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
		}
	case f.config || f.again && s.lasts(now):
		if !s.shown || s.code != f.status {
			s.shown, s.code = true, f.status
			componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(f.err))
		}
	}
}

// lasts tells whether requests have failed for longer than a blip.
func (s *status) lasts(now time.Time) bool {
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since) >= blip
}
