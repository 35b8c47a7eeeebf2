// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Decode emits the events of a snapshot that no snapshot before it had. Frames of
// other topics, and facts from before the tracker began, are ignored.
func (t *Tracker) Decode(text []byte, now time.Time, sink jsonevent.Sink) {
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
	topicType, conversations := topicMedium(string(in.TopicName))
	switch {
	case in.TopicName == "":
		d.violation(wsevent.ViolationMissingType, "nothing is given at topicName", text)
	case !conversations:
		sink.Ignored()
	case in.EventBody == nil || in.EventBody.ID == "":
		d.violation(wsevent.ViolationMissingChannelID, "nothing is given at eventBody.id", text)
	default:
		d.topicType, d.id = topicType, string(in.EventBody.ID)
		d.conversation = t.conversation(d.id, now)
		d.participants(in.EventBody.Participants)
	}
}

// diff emits what a snapshot has beyond the known facts.
type diff struct {
	tracker      *Tracker
	id           string // of the conversation
	conversation *conversation
	topicType    string // channel type of the topic; empty: its participants name theirs
	now          time.Time
	sink         jsonevent.Sink

	channelType string
}

func (d *diff) participants(all []json.RawMessage) {
	for _, raw := range all {
		d.channelType = d.topicType
		var p participant
		if err := json.Unmarshal(raw, &p); err != nil {
			d.violation(wsevent.ViolationWrongType, misfit(err), raw)
			continue
		}
		if p.ID == "" {
			d.violation(wsevent.ViolationMissingChannelID, "nothing is given at participants[].id", raw)
			continue
		}
		channels := d.channels(&p, raw)
		for i := range channels {
			d.channel(&p, &channels[i])
		}
	}
}

// channel emits the events of one channel: its open, its messages, its close. One
// that was never connected, an unanswered offer, has neither of the ends.
func (d *diff) channel(p *participant, c *channel) {
	d.channelType = c.channelType
	session := d.session(c)
	if c.connected {
		d.emit(&fact{kind: jsonevent.ConnectionOpen, name: openFact, who: session}, p, c, c.since, c.raw)
	}
	for i := range c.messages {
		d.message(p, c, &c.messages[i])
	}
	switch {
	case !c.ended:
	case c.connected || len(c.messages) > 0 || d.tracker.known(d.conversation, openFact, session):
		d.emit(&fact{kind: jsonevent.ConnectionClose, name: closeFact, who: session}, p, c, c.until, c.raw)
	case d.tracker.note(d.conversation, unansweredFact, session, d.now):
		d.sink.Ignored()
	}
	if d.tracker.Observe != nil && (c.connected || c.ended) {
		d.observe(p, c)
	}
}

// observe passes on the state of a channel.
func (d *diff) observe(p *participant, c *channel) {
	s := reconcile.Session{
		Channel: c.id, ChannelType: c.channelType, User: string(cmp.Or(p.User.ID, p.UserID)), Conversation: d.id, Participant: string(p.ID),
		Group: reconcile.Group{Queue: string(cmp.Or(p.Queue.ID, p.QueueID)), Media: mediumOf(c.channelType)},
		Ended: c.ended, Reason: string(c.reason),
	}
	if since, err := timeOf(c.since, time.Time{}); err == nil && !since.IsZero() {
		s.Start = since.UnixNano()
	}
	if until, err := timeOf(c.until, time.Time{}); err == nil && !until.IsZero() {
		s.End = until.UnixNano()
	}
	d.tracker.Observe(&s, d.now, d.sink)
}

// mediumOf is the medium of a channel type. The types of messages are many.
func mediumOf(channelType string) string {
	for _, medium := range media() {
		if medium.channelType == channelType {
			return channelType
		}
	}
	return "message"
}

// session names a channel's present session among the facts. A communication is one
// session: a returning customer has another one. A participant whose connected time is
// after its close and its earlier connected time starts the next session.
func (d *diff) session(c *channel) string {
	if !c.own {
		return c.fact
	}
	since, err := timeOf(c.since, time.Time{})
	name := c.fact
	for number := 2; err == nil; number++ {
		closed, known := d.tracker.at(d.conversation, closeFact, name)
		opened, _ := d.tracker.at(d.conversation, openFact, name)
		next := c.fact + "#" + strconv.Itoa(number)
		switch {
		case !known:
			return name
		case since.After(closed) && since.After(opened), c.since == "" && d.tracker.known(d.conversation, openFact, next):
			name = next
		default:
			return name
		}
	}
	return name
}

// message emits a message: the customer's are received, the others sent.
func (d *diff) message(p *participant, c *channel, m *item) {
	if m.MessageTime == "" {
		d.violation(wsevent.ViolationMissingTimestamp, "nothing is given at messageTime", m.raw)
		return
	}
	one := fact{kind: jsonevent.MessageSend, name: messageFact, what: m.identity(), message: &m.message}
	if p.Purpose == "customer" {
		one.kind = jsonevent.MessageReceive
	}
	if one.what == "" { // it is known by its channel and time; else a message that two participants have is one
		one.name, one.who = messageFact+"/"+string(m.MessageTime), c.fact
	}
	d.emit(&one, p, c, m.MessageTime, m.raw)
}

// Kinds of facts.
const (
	openFact           = "open"
	closeFact          = "close"
	messageFact        = "message"
	unansweredFact     = "unanswered"
	communicationsFact = "communications" // the participant's communications are the channels
)

// fact is what happened to a channel.
type fact struct {
	kind    jsonevent.Type
	name    string
	who     string // the session of a channel; empty: the fact is the conversation's
	what    string // the identity of a message
	message *message
}

// emit returns the sink the event of a fact, unless it is known or history.
func (d *diff) emit(f *fact, p *participant, c *channel, when text, raw json.RawMessage) {
	at, err := timeOf(when, d.now)
	if err != nil {
		d.violation(wsevent.ViolationBadTimestamp, "a time "+err.Error(), raw)
		return
	}
	fresh, history := d.tracker.fact(d.conversation, f.name, f.who, f.what, at, d.now)
	switch {
	case history:
		d.sink.Ignored()
		return
	case !fresh:
		return
	}
	event := jsonevent.Event{
		Type: f.kind, Time: at.UnixNano(), Clock: c.clock(f, when), ChannelID: []byte(c.id), UserID: []byte(cmp.Or(p.User.ID, p.UserID)),
		ID: []byte(d.identity(f)), ChannelType: []byte(d.channelType), Raw: raw,
	}
	if f.message != nil {
		event.PayloadSize, event.HasPayloadSize, event.FieldErrors = f.message.size()
	}
	if f.kind == jsonevent.ConnectionClose {
		event.CloseReason = []byte(c.reason)
	}
	d.sink.Event(&event)
}

// clock is by whose clock the time of a fact is.
func (c *channel) clock(f *fact, when text) jsonevent.Clock {
	switch {
	case when == "":
		return jsonevent.ReceiverClock
	case f.kind == jsonevent.ConnectionOpen:
		return c.clocks.open
	case f.message != nil:
		return c.clocks.message
	default:
		return jsonevent.OtherClock
	}
}

// identity is the event's own: the message's where there is one. Ids of participants
// and communications are taken to be unique within their conversation alone.
func (d *diff) identity(f *fact) string {
	if f.what != "" {
		return f.what
	}
	return d.id + "/" + f.who + "/" + f.name
}

func (d *diff) violation(reason, detail string, raw []byte) {
	d.sink.Violation(&jsonevent.Violation{Reason: reason, Detail: detail, ChannelType: []byte(d.channelType), Raw: raw})
}

// misfit describes a value of a wrong type. encoding/json's own text may have a value,
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
