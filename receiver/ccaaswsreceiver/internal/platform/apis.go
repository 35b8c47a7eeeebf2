// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/hubevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/session"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func realtimeEvents(subprotocol string) API {
	return API{
		Name:        RealtimeEvents,
		Subprotocol: subprotocol,
		Scopes:      []string{"analytics:realtime:view", "digital:engagement:metrics:read"},
		Fields:      frame.DefaultFields(),
		PayloadSize: SizeOfEvent,
		Heartbeat:   session.Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		Pace:        session.Pace{Initial: time.Second, Max: time.Minute},
	}
}

// notifications is the Notification Service. What its frames hold is told by
// package conversation.
func notifications() API {
	return API{
		Name:        Notifications,
		Fields:      frame.DefaultFields(),
		PayloadSize: SizeOfEvent,
		Talk: session.Talk{
			KeepAlive: session.KeepAlive{
				Send:   `{"message":"ping"}`,
				Expect: session.NewPattern(`{"topicName":"channel.metadata","eventBody":{"message":"pong"}}`),
			},
			Controls: []session.Control{
				{Match: session.NewPattern(`{"topicName":"channel.metadata"}`), Do: session.Ignore},
				{Match: session.NewPattern(`{"topicName":"v2.system.socket_closing"}`), Do: session.Rotate},
				{Match: session.NewPattern(`{"result":"404"}`), Do: session.Renew},
				{Match: session.NewPattern(`{"result":404}`), Do: session.Renew},
			},
		},
		Heartbeat: session.Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		Pace:      session.Pace{Initial: 2 * time.Second, Max: 90 * time.Second},
	}
}

// eventHub is the digital event hub.
func eventHub() API {
	const kind, origin, status, direction = "eventType", "data.originEvent.eventType", "data.case.status", "data.message.direction"
	const contactStatus, content = "data.contact.status", "data.message.messageContent"
	messages, parked := hubevent.Messages(), []string{hubevent.Parked}
	statusChanged := []string{hubevent.CaseStatusChanged}
	return API{
		Name:        EventHub,
		PayloadSize: SizeOfText, // the hub names no sizes
		Fields: frame.Fields{
			Timestamp:   "createdAt",
			ChannelID:   "data.case.id || data.contact.id",
			ChannelType: "data.channel.id",
			UserID:      "data.message.authorUser.id",
			ID:          "data.message.id || traceId || eventId", // completed by package hubevent
			Text:        content + ".text || " + content + ".payload.text.content || " + content + ".payload || " + content + ".fallbackText",
		},
		Types: frame.Types{
			wsevent.ConnectionOpen: {{kind: {hubevent.CaseCreated}}, {kind: parked, origin: {hubevent.CaseCreated}}},
			frame.Reopen: {
				{kind: statusChanged, status: hubevent.OpenStatus()},
				{kind: statusChanged, contactStatus: hubevent.OpenStatus()},
				{kind: parked, origin: statusChanged, status: hubevent.OpenStatus()},
			},
			wsevent.ConnectionClose: {
				{kind: statusChanged, status: hubevent.ClosedStatus()},
				{kind: statusChanged, contactStatus: hubevent.ClosedStatus()},
				{kind: parked, origin: statusChanged, status: hubevent.ClosedStatus()},
			},
			wsevent.MessageSend: {{kind: messages, direction: {"outbound"}}, {kind: parked, origin: messages, direction: {"outbound"}}},
			// A parked event need not name the direction. It is parked for its size, which agents' rarely have.
			wsevent.MessageReceive: {{kind: messages, direction: {"inbound"}}, {kind: parked, origin: messages}},
		},
		Talk: session.Talk{
			OnOpen: []session.Exchange{{
				Send: `{"action":"register","payload":{"token":"{{token}}"}}`, Expect: session.NewPattern("authorized"),
			}},
			KeepAlive: session.KeepAlive{Send: `{"action":"heartbeat"}`, Expect: session.NewPattern("pong"), Unanswered: 5},
			Controls: []session.Control{
				{Match: session.NewPattern("authorized"), Do: session.Ignore},
				{Match: session.NewPattern("unauthorized"), Do: session.Renew},
				{Match: session.NewPattern("RATE_LIMIT_EXCEEDED"), Do: session.Throttle},
			},
		},
		Heartbeat: session.Heartbeat{Interval: 30 * time.Second, Timeout: 35 * time.Second},
		Pace:      session.Pace{Initial: time.Second, Max: time.Minute},
	}
}
