// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package hubevent

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// sink keeps what it is given, in short.
type sink struct {
	events     []string
	ignored    int
	violations []string
}

func (s *sink) Event(e *jsonevent.Event) {
	names := [...]string{"open", "close", "send", "receive"}
	s.events = append(s.events, fmt.Sprintf("%s %s %s %s", names[e.Type], e.ChannelID, e.ID, time.Unix(0, e.Time).UTC().Format("15:04:05")))
}
func (s *sink) Ignored()                         { s.ignored++ }
func (s *sink) Violation(v *jsonevent.Violation) { s.violations = append(s.violations, v.Reason) }

func TestSink_Identity(t *testing.T) {
	t.Parallel()
	to := &sink{}
	s := &Sink{Next: to}
	for _, e := range []jsonevent.Event{
		{Type: jsonevent.ConnectionOpen, ChannelID: []byte("n1"), ID: []byte("trace")},
		{Type: jsonevent.ConnectionOpen, ChannelID: []byte("n1"), ID: []byte("trace"), Reopens: true},
		{Type: jsonevent.ConnectionClose, ChannelID: []byte("n2"), ID: []byte("trace")},
		{Type: jsonevent.ConnectionClose, ChannelID: []byte("n2")},
		{Type: jsonevent.MessageReceive, ChannelID: []byte("n2"), ID: []byte("m")},
	} {
		s.Event(&e)
	}
	assert.Equal(t, []string{"open n1 n1/trace 00:00:00", "open n1 n1/trace/again 00:00:00", "close n2 n2/trace 00:00:00", "close n2  00:00:00", "receive n2 m 00:00:00"}, to.events)
}

func TestSink_Parked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sink{
		`{"eventId":"e","eventType":"EventInS3","createdAt":"2026-11-25T10:00:03Z","data":{"s3Object":{"url":"https://s3"},"originEvent":{"eventType":"MessageCreated"}}}`: {events: []string{"receive  e 10:00:03"}},
		`{"eventId":"e","traceId":"t","eventType":"EventInS3","createdAt":"2026-11-25T10:00:03Z","data":{"originEvent":{"eventType":"CaseCreated"}}}`:                      {events: []string{"open  t 10:00:03"}},
		`{"eventId":"e","eventType":"EventInS3","createdAt":"2026-11-25T10:00:03Z","data":{"originEvent":{"eventType":"CaseStatusChanged"}}}`:                              {ignored: 1},
		`{"eventId":"e","eventType":"EventInS3","createdAt":"soon","data":{"originEvent":{"eventType":"MessageCreated"}}}`:                                                 {violations: []string{"missing_channel_id"}},
		`{"eventId":"e","eventType":"CaseCreated","createdAt":"2026-11-25T10:00:03Z","data":{}}`:                                                                           {violations: []string{"missing_channel_id"}},
		`{"eventType":"EventInS3","data":7}`: {violations: []string{"missing_channel_id"}},
	} {
		to := &sink{}
		(&Sink{Next: to}).Violation(&jsonevent.Violation{Reason: wsevent.ViolationMissingChannelID, Raw: []byte(text)})
		assert.Equal(t, want, *to, text)
	}
	to := &sink{}
	s := &Sink{Next: to}
	s.Violation(&jsonevent.Violation{Reason: wsevent.ViolationNotJSON})
	s.Ignored()
	assert.Equal(t, sink{ignored: 1, violations: []string{"not_json"}}, *to)
}

func FuzzParked(f *testing.F) {
	f.Add([]byte(`{"eventId":"e","eventType":"EventInS3","createdAt":"2026-11-25T10:00:03Z","data":{"originEvent":{"eventType":"MessageCreated"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		to := &sink{}
		(&Sink{Next: to}).Violation(&jsonevent.Violation{Reason: wsevent.ViolationMissingChannelID, Raw: text})
		assert.Equal(t, 1, len(to.events)+to.ignored+len(to.violations), "each is one of them")
	})
}
