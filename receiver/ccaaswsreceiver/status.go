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

// status makes the component's status out of the connections' troubles. All of
// them are recoverable in the Collector's words, since no other status can turn
// to OK again, and the platform's administrator may mend what the receiver cannot.
type status struct {
	report func(*componentstatus.Event)

	mutex    sync.Mutex
	troubles map[troubleKey]error
	shown    string
}

// kinds of troubles of a connection.
const (
	connectTrouble = iota
	downstreamTrouble
)

type troubleKey struct{ connection, kind int }

func newStatus(report func(*componentstatus.Event)) *status {
	return &status{report: report, troubles: map[troubleKey]error{}}
}

// set notes a trouble of a connection, or that it has none of the kind. The status
// shows the trouble of the first connection that has one.
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
		if s.shown != "" {
			s.shown = ""
			s.report(componentstatus.NewEvent(componentstatus.StatusOK))
		}
		return
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(s.troubles)), func(a, b troubleKey) int {
		return cmp.Or(cmp.Compare(a.connection, b.connection), cmp.Compare(a.kind, b.kind))
	})
	if shown := s.troubles[first]; shown.Error() != s.shown {
		s.shown = shown.Error()
		s.report(componentstatus.NewRecoverableErrorEvent(shown))
	}
}
