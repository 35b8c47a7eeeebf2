// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Decode tells the sink what a frame has that was not told before. A frame of
// another kind, and what is history, is ignored.
func (t *Tracker) Decode(text []byte, now time.Time, sink frame.Sink) {
	d := diff{tracker: t, now: now, sink: sink}
	if !utf8.Valid(text) {
		d.violation(wsevent.ViolationInvalidUTF8, "not UTF-8", text)
		return
	}
	var in envelope
	if err := json.Unmarshal(text, &in); err != nil {
		reason := wsevent.ViolationWrongType
		if !json.Valid(text) {
			reason = wsevent.ViolationNotJSON
		}
		d.violation(reason, misfit(err), text)
		return
	}
	switch {
	case in.TopicName == "":
		d.violation(wsevent.ViolationMissingType, "nothing is given at topicName", text)
	case !strings.Contains(in.TopicName, ".conversations"):
		sink.Ignored()
	case in.EventBody == nil || in.EventBody.ID == "":
		d.violation(wsevent.ViolationMissingChannelID, "nothing is given at eventBody.id", text)
	default:
		d.conversation = t.conversation(in.EventBody.ID, now)
		d.participants(in.EventBody.Participants)
	}
}

// diff is the way from one snapshot to the sink.
type diff struct {
	tracker      *Tracker
	conversation *conversation
	now          time.Time
	sink         frame.Sink

	channelType string
}

func (d *diff) participants(all []json.RawMessage) {
	for _, raw := range all {
		var p participant
		if err := json.Unmarshal(raw, &p); err != nil {
			d.violation(wsevent.ViolationWrongType, misfit(err), raw)
			continue
		}
		if p.ID == "" {
			d.violation(wsevent.ViolationMissingChannelID, "nothing is given at participants[].id", raw)
			continue
		}
		messages := p.complete()
		d.channelType = strings.ToLower(p.Type)
		if since, open := p.open(); open {
			d.told(frame.ConnectionOpen, &p, "", since, raw, nil)
		}
		for _, one := range messages {
			d.message(&p, one)
		}
		if at, closed := p.closed(); closed {
			d.told(frame.ConnectionClose, &p, "", at, raw, nil)
		}
	}
}

// message tells of a message: the customer's are received, the others sent.
func (d *diff) message(p *participant, raw json.RawMessage) {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		d.violation(wsevent.ViolationWrongType, misfit(err), raw)
		return
	}
	if m.MessageTime == "" {
		d.violation(wsevent.ViolationMissingTimestamp, "nothing is given at messageTime", raw)
		return
	}
	kind := frame.MessageSend
	if p.Purpose == "customer" {
		kind = frame.MessageReceive
	}
	d.told(kind, p, m.identity(), m.MessageTime, raw, &m)
}

// told tells of an event, unless it is known or history.
func (d *diff) told(kind frame.Type, p *participant, what, when string, raw json.RawMessage, m *message) {
	at, err := timeOf(when, d.now)
	if err != nil {
		d.violation(wsevent.ViolationBadTimestamp, "a time "+err.Error(), raw)
		return
	}
	fact, who := [...]string{"open", "close", "message", "message"}[kind], p.ID
	if m != nil && what != m.MessageTime {
		who = "" // a message that two participants have is one
	}
	fresh, history := d.tracker.fact(d.conversation, fact, who, what, at)
	switch {
	case history:
		d.sink.Ignored()
		return
	case !fresh:
		return
	}
	event := frame.Event{
		Type: kind, Time: at.UnixNano(), ChannelID: []byte(p.ID), UserID: []byte(orElse(p.User.ID, p.UserID)),
		ID: []byte(identity(fact, p.ID, what)), ChannelType: []byte(d.channelType), Raw: raw,
	}
	if m != nil {
		event.PayloadSize, event.HasPayloadSize = m.size()
	}
	if kind == frame.ConnectionClose {
		event.CloseReason = []byte(p.DisconnectType)
	}
	d.sink.Event(&event)
}

// identity is the event's own: the message's where there is one.
func identity(fact, participant, message string) string {
	if message != "" {
		return message
	}
	return participant + "/" + fact
}

func (d *diff) violation(reason, detail string, raw []byte) {
	d.sink.Violation(&frame.Violation{Reason: reason, Detail: detail, ChannelType: []byte(d.channelType), Raw: raw})
}

// misfit says what cannot be read. encoding/json's own words may have a value in them,
// and values are not for the log.
func misfit(err error) string {
	if wrong := (&json.UnmarshalTypeError{}); errors.As(err, &wrong) {
		kind, _, _ := strings.Cut(wrong.Value, " ")
		return fmt.Sprintf("%s: %s where %s belongs", wrong.Field, kind, wrong.Type)
	}
	if broken := (&json.SyntaxError{}); errors.As(err, &broken) {
		return fmt.Sprintf("byte %d: not JSON", broken.Offset)
	}
	return "not as it should be"
}
