// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// channel is what of a participant opens, carries messages and closes: one of its
// communications, or the participant itself.
type channel struct {
	id          string
	fact        string // names it among the facts of its conversation
	channelType string
	connected   bool // now or before
	since       text // when it was connected; empty: unknown
	own         bool // it is the participant itself
	clocks      clocks
	ended       bool
	until       text // when it ended; empty: unknown
	reason      text
	messages    []item
	raw         json.RawMessage
}

// item is a message with its object.
type item struct {
	message
	raw json.RawMessage
}

// clocks are by whose clock the times of a channel are. The skew of a stream is
// measured by one kind of time alone: that at which a communication was connected is
// by the platform's clock, all others of communications and participants are by that
// of a provider. Where there are no communications, it is that of messages.
type clocks struct{ open, message jsonevent.Clock }

var (
	ofCommunication = clocks{open: jsonevent.PlatformClock, message: jsonevent.OtherClock}
	ofParticipant   = clocks{open: jsonevent.OtherClock, message: jsonevent.PlatformClock}
)

// channels returns the channels of a participant in an order that depends on the
// snapshot alone. Communications that have an id are channels of their own. The
// participant is the channel of all that has none: of media topics, and of what was
// first seen without its communications.
func (d *diff) channels(p *participant, raw json.RawMessage) []channel {
	own := channel{
		id: string(p.ID), fact: string(p.ID), channelType: strings.ToLower(cmp.Or(string(p.Type), d.topicType)), raw: raw, own: true, clocks: ofParticipant,
		connected: p.ConnectedTime != "" || connected(p.State), since: p.ConnectedTime,
		ended: p.ended(p.State, p.ConnectedTime), until: p.EndTime, reason: p.DisconnectType,
	}
	all, messages := d.communications(p)
	own.messages = messages
	var channels, parts []channel
	isChannel := d.tracker.known(d.conversation, openFact, own.fact)
	for i := range all {
		one := p.channel(&all[i])
		one.messages = d.items(all[i].Messages)
		if all[i].ID == "" || isChannel {
			parts = append(parts, one)
			continue
		}
		channels = append(channels, one)
	}
	if len(channels) > 0 {
		d.tracker.note(d.conversation, communicationsFact, own.fact, d.now)
		if len(all) == 1 { // the participant's time can only be its own
			channels[0].connected = channels[0].connected || p.ConnectedTime != ""
			if channels[0].since == "" {
				channels[0].since, channels[0].clocks.open = p.ConnectedTime, jsonevent.OtherClock
			}
		}
		if len(parts) == 0 {
			return channels
		}
	}
	if len(all) == 0 && d.tracker.known(d.conversation, communicationsFact, own.fact) {
		d.sink.Ignored() // a topic of one medium, beside one that carries the communications
		return nil
	}
	return append(channels, own.fold(parts))
}

// placed is a communication with its object and channel type.
type placed struct {
	communication
	channelType string
	raw         json.RawMessage
}

// communications returns those of all media, and the messages that belong to none.
func (d *diff) communications(p *participant) (all []placed, messages []item) {
	add := func(raw json.RawMessage, channelType string) {
		one := placed{raw: raw, channelType: channelType}
		if err := json.Unmarshal(raw, &one.communication); err != nil {
			d.violation(wsevent.ViolationWrongType, misfit(err), raw)
			return
		}
		if channelType == "" {
			if one.isMessage() {
				messages = append(messages, item{message: one.message, raw: raw})
				return
			}
			one.channelType = strings.ToLower(string(cmp.Or(one.Type, p.Type)))
		}
		all = append(all, one)
	}
	for _, medium := range media() {
		for _, raw := range medium.of(p) {
			add(raw, medium.channelType)
		}
	}
	for _, raw := range p.Messages {
		add(raw, "")
	}
	return all, messages
}

// items decodes the messages of a communication.
func (d *diff) items(all []json.RawMessage) (messages []item) {
	for _, raw := range all {
		one := item{raw: raw}
		if err := json.Unmarshal(raw, &one.message); err != nil {
			d.violation(wsevent.ViolationWrongType, misfit(err), raw)
			continue
		}
		messages = append(messages, one)
	}
	return messages
}

// ended reports whether what has a state and a time of its connection has ended, by itself
// or with the participant. The participant's end may be that of a session before.
func (p *participant) ended(state, since text) bool {
	switch {
	case ended(state):
		return true
	case p.EndTime == "" || state == "parked":
		return false
	case state != "connected" || since == "":
		return true
	}
	began, err := timeOf(since, time.Time{})
	end, endErr := timeOf(p.EndTime, time.Time{})
	return err != nil || endErr != nil || !began.After(end)
}

// channel returns the channel of a communication.
func (p *participant) channel(c *placed) channel {
	one := channel{
		id: string(c.ID), fact: string(p.ID) + "/" + string(c.ID), channelType: c.channelType, raw: c.raw, clocks: ofCommunication,
		connected: c.ConnectedTime != "" || connected(c.State), since: c.ConnectedTime,
		ended: p.ended(c.State, c.ConnectedTime) || c.State == "" && c.DisconnectedTime != "",
		until: c.DisconnectedTime, reason: c.DisconnectType,
	}
	if one.ended {
		one.until = cmp.Or(one.until, p.EndTime)
		one.reason = cmp.Or(one.reason, p.DisconnectType)
	}
	return one
}

// fold makes one channel of a participant and those of its communications that are
// no channels of their own. It is open as long as one of them is.
func (c channel) fold(parts []channel) channel {
	if len(parts) == 0 {
		return c
	}
	ended := 0
	c.clocks.message = jsonevent.OtherClock
	for i := range parts {
		part := &parts[i]
		c.channelType = cmp.Or(c.channelType, part.channelType)
		c.connected = c.connected || part.connected
		c.since = cmp.Or(c.since, part.since)
		c.messages = append(c.messages, part.messages...)
		if part.ended {
			ended++
			c.until = cmp.Or(c.until, part.until)
			c.reason = cmp.Or(c.reason, part.reason)
		}
	}
	c.ended = ended == len(parts)
	return c
}
