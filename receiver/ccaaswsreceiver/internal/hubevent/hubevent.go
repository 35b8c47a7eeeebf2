// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package hubevent completes the events of NICE CXone's digital event hub: their
// identity, and the fields of parked events. It is pure: no pdata, no clock and no
// goroutine.
package hubevent

import (
	"encoding/json"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Parked is the type of an event that is too large for the socket. It has the type of its
// origin, and often nothing else.
const Parked = "EventInS3"

// Sink completes events and passes them on.
type Sink struct {
	Next jsonevent.Sink

	id []byte
}

var _ jsonevent.Sink = (*Sink)(nil)

// Event passes on an event. Opens and closes with the same type, case and trace are
// duplicates.
func (s *Sink) Event(e *jsonevent.Event) {
	if (e.Type == jsonevent.ConnectionOpen || e.Type == jsonevent.ConnectionClose) && len(e.ID) > 0 {
		s.id = append(append(append(s.id[:0], e.ChannelID...), '/'), e.ID...)
		if e.Reopens { // a change of status, and not the creation of the case
			s.id = append(s.id, "/again"...)
		}
		e.ID = s.id
	}
	s.Next.Event(e)
}

// Ignored passes it on.
func (s *Sink) Ignored() { s.Next.Ignored() }

// Violation passes it on, unless it is a parked event that names no case.
func (s *Sink) Violation(v *jsonevent.Violation) {
	if v.Reason != wsevent.ViolationMissingChannelID || !s.parked(v) {
		s.Next.Violation(v)
	}
}

// parked passes on a parked event of an unknown case: an open or a received message. It
// has no channel, so it does not change the number of open ones.
func (s *Sink) parked(v *jsonevent.Violation) bool {
	var in struct {
		EventID   string `json:"eventId"`
		EventType string `json:"eventType"`
		TraceID   string `json:"traceId"`
		CreatedAt string `json:"createdAt"`
		Data      struct {
			OriginEvent struct {
				EventType string `json:"eventType"`
			} `json:"originEvent"`
		} `json:"data"`
	}
	if json.Unmarshal(v.Raw, &in) != nil || in.EventType != Parked {
		return false
	}
	event := jsonevent.Event{ID: []byte(in.TraceID), ChannelType: v.ChannelType, Region: v.Region, TenantID: v.TenantID, Raw: v.Raw}
	if in.TraceID == "" {
		event.ID = []byte(in.EventID)
	}
	switch origin := in.Data.OriginEvent.EventType; {
	case origin == CaseCreated:
		event.Type = jsonevent.ConnectionOpen
	case slices.Contains(Messages(), origin):
		event.Type = jsonevent.MessageReceive
	default:
		s.Next.Ignored()
		return true
	}
	at, err := jsonevent.ParseTimestamp([]byte(in.CreatedAt))
	if err != nil {
		return false
	}
	event.Time = at
	s.Next.Event(&event)
	return true
}

// Types of events that the hub names.
const (
	CaseCreated       = "CaseCreated"
	CaseStatusChanged = "CaseStatusChanged"
)

// Messages are the types of events that hold a message; the same one may come as
// either, and is known by its id.
func Messages() []string { return []string{"MessageCreated", "MessageAddedIntoCase"} }

// OpenStatus and ClosedStatus are the states of a case in which it is open, and in
// which it is closed.
func OpenStatus() []string { return spelled("new", "open", "pending", "escalated") }

// ClosedStatus is documented with OpenStatus.
func ClosedStatus() []string { return spelled("resolved", "closed", "trashed") }

// spelled adds the spelling with a capital.
func spelled(words ...string) (all []string) {
	for _, word := range words {
		all = append(all, word, string(word[0]-'a'+'A')+word[1:])
	}
	return all
}
