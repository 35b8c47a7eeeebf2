// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import "strconv"

// snapshots writes conversations as Notifications tells of them.
type snapshots struct {
	directory *directory
	quoted    [][]byte // channel types, by series
	regions   []string // by series
	written   uint64   // snapshots up to now: no two have one CorrelationId
}

func newSnapshots(d *directory, series []Series) *snapshots {
	s := &snapshots{directory: d}
	for _, one := range series {
		s.quoted = append(s.quoted, quoted(one.ChannelType))
		s.regions = append(s.regions, one.Region)
	}
	return s
}

// snapshot appends the envelope of a conversation on a topic.
func (s *snapshots) snapshot(to []byte, topicName string, form topicForm, c *conversation, t *Trouble) []byte {
	p := participants{snapshots: s, conversation: c, form: form, shift: t.stamp(s.regions[c.series], 0)}
	s.written++
	to = append(to, `{"topicName":"`...)
	to = append(to, topicName...)
	to = append(to, `","version":"2","eventBody":{"id":"`...)
	to = appendUUID(to, c.channel.other(conversationID))
	to = append(to, `","participants":[`...)
	to = p.participant(to, true)
	to = append(to, ',')
	to = p.participant(to, false)
	to = append(to, `]},"metadata":{"CorrelationId":"`...)
	to = appendUUID(to, identity{high: s.written, low: s.written * mixing})
	return append(to, `"}}`...)
}

// mixing spreads numbers over 64 bits: 2^64 by the golden ratio.
const mixing = 0x9e3779b97f4a7c15

// What else an identity identifies.
const (
	conversationID uint64 = iota + 1
	agentLegID
	communicationID
	mediaID
	customerID
	threadID
	traceID
	envelopeID
	againID
)

// other is the identity of something else that belongs to this one.
func (i identity) other(what uint64) identity {
	return identity{high: i.high ^ what*mixing, low: i.low ^ what}
}

// participants writes the two participants of a conversation.
type participants struct {
	*snapshots
	*conversation
	form  topicForm
	shift int64 // of the platform's clock
}

func (p *participants) participant(to []byte, customer bool) []byte {
	id := p.channel
	if !customer {
		id = id.other(agentLegID)
	}
	to = append(to, `{"id":"`...)
	to = appendUUID(to, id)
	to = p.time(append(to, '"'), "startTime", p.connected)
	to = p.time(to, "connectedTime", p.connected)
	if p.ended != 0 {
		to = p.time(to, "endTime", p.ended)
	}
	if customer {
		to = append(to, `,"purpose":"customer"`...)
	} else {
		to = append(to, `,"purpose":"agent","user":{"id":"`...)
		to = append(append(to, p.directory.agents[p.directory.agent(p.user)]...), `"}`...)
	}
	to = append(to, `,"queue":{"id":"`...)
	to = append(append(to, p.directory.queues[p.directory.queue(p.channel)]...), `"}`...)
	if p.form == ofConversations {
		to = append(to, `,"messages":[{"id":"`...)
		to = appendUUID(to, id.other(communicationID))
		to = p.time(append(to, '"'), "connectedTime", p.connected)
		if p.ended != 0 {
			to = p.time(to, "disconnectedTime", p.ended)
		}
		return append(p.leg(to, customer), `}]}`...)
	}
	return append(p.leg(to, customer), '}')
}

// leg is the state of a participant's connection, and its messages.
func (p *participants) leg(to []byte, customer bool) []byte {
	direction, reason, writes := "inbound", "peer", messageReceive
	if !customer {
		direction, writes = "outbound", messageSend
	}
	state := "connected"
	if p.ended != 0 {
		state = "disconnected"
		if customer {
			reason = p.ending.reason
		}
		to = append(append(append(to, `,"disconnectType":"`...), reason...), '"')
	}
	to = append(append(append(to, `,"state":"`...), state...), `","direction":"`...)
	to = append(append(append(to, direction...), `","type":`...), p.quoted[p.series]...)
	to = append(to, `,"messages":[`...)
	first := true
	for _, m := range p.messages {
		if m.kind != writes {
			continue
		}
		if !first {
			to = append(to, ',')
		}
		first = false
		to = p.message(to, m)
	}
	return append(to, ']')
}

func (p *participants) message(to []byte, m *chatMessage) []byte {
	to = append(to, `{"messageId":"`...)
	to = appendUUID(to, m.id)
	to = p.time(append(to, '"'), "messageTime", m.at)
	status := "sent"
	if m.kind == messageReceive {
		status = "received"
	}
	to = append(append(append(to, `,"messageStatus":"`...), status...), `","media":[{"id":"`...)
	to = appendUUID(to, m.id.other(mediaID))
	to = append(to, `","mediaType":"text/plain","contentLengthBytes":`...)
	return append(strconv.AppendInt(to, int64(m.payload), 10), `}]}`...)
}

func (p *participants) time(to []byte, name string, at int64) []byte {
	to = append(append(append(to, `,"`...), name...), `":"`...)
	return append(appendISO(to, at+p.shift), '"')
}
