// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component/componentstatus"
)

// Sources of errors besides partitions.
const (
	Group = -1 - iota // the membership
	Ends              // the query of end offsets
)

// Status derives the component's status from the errors of the partitions and of the
// group. All of them may pass, so all are recoverable.
type Status struct {
	report func(*componentstatus.Event)

	mutex  sync.Mutex
	errors map[int]error
	shown  string
}

// NewStatus returns a status without errors.
func NewStatus(report func(*componentstatus.Event)) *Status {
	return &Status{report: report, errors: map[int]error{}}
}

// Set records the error of a partition, or nil. An error after the end of ctx is ignored.
func (s *Status) Set(ctx context.Context, partition int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil || ctx.Err() != nil {
		delete(s.errors, partition)
	} else {
		s.errors[partition] = err
	}
	switch {
	case len(s.errors) == 0 && s.shown != "":
		s.shown = ""
		s.report(componentstatus.NewEvent(componentstatus.StatusOK))
	case s.errors[partition] != nil && err.Error() != s.shown:
		s.shown = err.Error()
		s.report(componentstatus.NewRecoverableErrorEvent(err))
	}
}
