// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component/componentstatus"
)

// status reports the component's status from the errors of its connections. All of them
// are recoverable: no other status can return to OK, and an administrator of the platform
// can fix what the receiver cannot.
type status struct {
	report func(*componentstatus.Event)

	mutex    sync.Mutex
	troubles map[troubleKey]error
	reported string
}

// Kinds of errors of a connection.
const (
	connectTrouble = iota
	downstreamTrouble
	historyTrouble
	storageTrouble
)

type troubleKey struct{ connection, kind int }

func newStatus(report func(*componentstatus.Event)) *status {
	return &status{report: report, troubles: map[troubleKey]error{}}
}

// set sets or clears the error of a connection. The status has the error of the first
// connection with one.
func (s *status) set(connection, kind int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key := troubleKey{connection, kind}
	if err == nil {
		delete(s.troubles, key)
	} else {
		s.troubles[key] = err
	}
	if len(s.troubles) == 0 {
		if s.reported != "" {
			s.reported = ""
			s.report(componentstatus.NewEvent(componentstatus.StatusOK))
		}
		return
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(s.troubles)), func(a, b troubleKey) int {
		return cmp.Or(cmp.Compare(a.connection, b.connection), cmp.Compare(a.kind, b.kind))
	})
	if reported := s.troubles[first]; reported.Error() != s.reported {
		s.reported = reported.Error()
		s.report(componentstatus.NewRecoverableErrorEvent(reported))
	}
}
