// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component/componentstatus"
)

// What may be in trouble beside partitions.
const (
	group = -1 - iota // the membership
	ends              // finding out where the partitions end
)

// status makes the component's status out of the troubles of the partitions and of
// the group. All of them may pass, so all are recoverable.
type status struct {
	report func(*componentstatus.Event)

	mutex    sync.Mutex
	troubles map[int]error
	shown    string
}

func newStatus(report func(*componentstatus.Event)) *status {
	return &status{report: report, troubles: map[int]error{}}
}

// set notes the trouble of a partition, or that it has none. What ended with ctx is
// no trouble.
func (s *status) set(ctx context.Context, partition int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil || ctx.Err() != nil {
		delete(s.troubles, partition)
	} else {
		s.troubles[partition] = err
	}
	switch {
	case len(s.troubles) == 0 && s.shown != "":
		s.shown = ""
		s.report(componentstatus.NewEvent(componentstatus.StatusOK))
	case s.troubles[partition] != nil && err.Error() != s.shown:
		s.shown = err.Error()
		s.report(componentstatus.NewRecoverableErrorEvent(err))
	}
}
