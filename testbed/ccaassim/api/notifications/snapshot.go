// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// snapshots writes conversations as Notifications does.
type snapshots struct {
	directory *api.Directory
	quoted    [][]byte // channel types, by series
	regions   []string // by series
	written   uint64   // snapshots up to now: no two have one CorrelationId
}

func newSnapshots(d *api.Directory, series []traffic.Series) *snapshots {
	s := &snapshots{directory: d}
	for _, one := range series {
		s.quoted = append(s.quoted, api.Quoted(one.ChannelType))
		s.regions = append(s.regions, one.Region)
	}
	return s
}

// snapshot appends the envelope of a conversation on a topic.
func (s *snapshots) snapshot(to []byte, topicName string, form topicForm, c *conversation, t *fault.Trouble) []byte {
	p := participants{snapshots: s, conversation: c, form: form, shift: t.Stamp(s.regions[c.series], 0)}
	s.written++
	to = append(to, `{"topicName":"`...)
	to = append(to, topicName...)
	to = append(to, `","version":"2","eventBody":{"id":"`...)
	to = api.AppendUUID(to, c.channel.Other(api.ConversationID))
	to = append(to, `","participants":[`...)
	to = p.participant(to, true)
	to = append(to, ',')
	to = p.participant(to, false)
	to = append(to, `]},"metadata":{"CorrelationId":"`...)
	to = api.AppendUUID(to, traffic.ID{Low: s.written}.Other(api.CorrelationID))
	return append(to, `"}}`...)
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
		id = id.Other(api.AgentLegID)
	}
	to = append(to, `{"id":"`...)
	to = api.AppendUUID(to, id)
	to = p.time(append(to, '"'), "startTime", p.connected)
	to = p.time(to, "connectedTime", p.connected)
	if p.ended != 0 {
		to = p.time(to, "endTime", p.ended)
	}
	if customer {
		to = append(to, `,"purpose":"customer"`...)
	} else {
		to = append(to, `,"purpose":"agent","user":{"id":"`...)
		to = append(append(to, p.directory.Agent(p.user)...), `"}`...)
	}
	to = append(to, `,"queue":{"id":"`...)
	to = append(append(to, p.directory.Queues[p.directory.QueueIndex(p.channel)]...), `"}`...)
	if p.form == ofConversations {
		to = append(to, `,"messages":[{"id":"`...)
		to = api.AppendUUID(to, id.Other(api.CommunicationID))
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
	direction, reason, writes := "inbound", "peer", traffic.MessageReceive
	if !customer {
		direction, writes = "outbound", traffic.MessageSend
	}
	state := "connected"
	if p.ended != 0 {
		state = "disconnected"
		if customer {
			reason = p.ending.Reason
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
	to = api.AppendUUID(to, m.id)
	to = p.time(append(to, '"'), "messageTime", m.at)
	status := "sent"
	if m.kind == traffic.MessageReceive {
		status = "received"
	}
	to = append(append(append(to, `,"messageStatus":"`...), status...), `","media":[{"id":"`...)
	to = api.AppendUUID(to, m.id.Other(api.MediaID))
	to = append(to, `","mediaType":"text/plain","contentLengthBytes":`...)
	return append(strconv.AppendInt(to, int64(m.payload), 10), `}]}`...)
}

func (p *participants) time(to []byte, name string, at int64) []byte {
	to = append(append(append(to, `,"`...), name...), `":"`...)
	return append(api.AppendISO(to, at+p.shift), '"')
}
