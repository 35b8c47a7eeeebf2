// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/session"
)

// blip is how long a connection may be down for a passing reason before that
// shows in the component's status.
const blip = 30 * time.Second

// trouble is what the status is to say of a connection that failed again: at once
// where a person must mend it, else once it is down for longer than a blip.
func trouble(failure *session.Failure, down time.Duration) error {
	if failure.Lasting || down >= blip {
		return failure
	}
	return nil
}

// status makes the component's status out of the connections' troubles. All of
// them are recoverable in the Collector's words, since no other status can turn
// to OK again, and the platform's administrator may mend what the receiver cannot.
type status struct {
	report func(*componentstatus.Event)

	mutex    sync.Mutex
	troubles map[int]error // by connection
	shown    string
}

func newStatus(report func(*componentstatus.Event)) *status {
	return &status{report: report, troubles: map[int]error{}}
}

// set notes the trouble of a connection, or that it has none.
func (s *status) set(connection int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil {
		delete(s.troubles, connection)
	} else {
		s.troubles[connection] = err
	}
	switch {
	case len(s.troubles) == 0 && s.shown != "":
		s.shown = ""
		s.report(componentstatus.NewEvent(componentstatus.StatusOK))
	case err != nil && err.Error() != s.shown:
		s.shown = err.Error()
		s.report(componentstatus.NewRecoverableErrorEvent(err))
	}
}
