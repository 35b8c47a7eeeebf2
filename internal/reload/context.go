// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"runtime"
)

// runContext is the context of a Collector's Run. Its Done channel is seen by the
// control loop of Run alone: components that keep the context of Start must not end
// before they are shut down.
//
// The loop evaluates Done each time it begins to wait, which is after Run has
// registered for signals and after each reload.
type runContext struct {
	context.Context //nolint:containedctx // it is the parent of this context

	stop   <-chan struct{}
	onLoop func() // when the loop waits for the first time, and later
}

// Done is closed when the Collector is to end.
func (c *runContext) Done() <-chan struct{} {
	if !calledBy(controlLoop) {
		return c.Context.Done()
	}
	c.onLoop()
	return c.stop
}

const controlLoop = "go.opentelemetry.io/collector/otelcol.(*Collector).Run"

// calledBy reports whether the function that called the caller has a name.
func calledBy(name string) bool {
	pc := make([]uintptr, 1)
	if runtime.Callers(3, pc) == 0 {
		return false
	}
	frame, _ := runtime.CallersFrames(pc).Next()
	return frame.Function == name
}
