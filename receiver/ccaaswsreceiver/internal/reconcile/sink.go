// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// Sink records the events that are received, and passes on those that were not
// reconstructed before.
type Sink struct {
	Channels *Channels
	Now      time.Time // of arrival
	Next     jsonevent.Sink
}

var _ jsonevent.Sink = (*Sink)(nil)

// Event passes on an event, unless it was reconstructed before.
func (s *Sink) Event(e *jsonevent.Event) {
	if !s.Channels.Take(e, s.Now) {
		s.Next.Ignored()
		return
	}
	s.Next.Event(e)
}

// Violation passes it on.
func (s *Sink) Violation(v *jsonevent.Violation) { s.Next.Violation(v) }

// Ignored passes it on.
func (s *Sink) Ignored() { s.Next.Ignored() }
