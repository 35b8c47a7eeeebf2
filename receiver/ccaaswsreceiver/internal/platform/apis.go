// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/hubevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func realtimeEvents(subprotocol string) API {
	return API{
		Name:        RealtimeEvents,
		Subprotocol: subprotocol,
		Scopes:      []string{"analytics:realtime:view", "digital:engagement:metrics:read"},
		Fields:      jsonevent.DefaultFields(),
		PayloadSize: SizeOfEvent,
		Heartbeat:   wsclient.Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		Pace:        wsclient.Backoff{Initial: time.Second, Max: time.Minute},
	}
}

// notifications is the Notification Service. What its frames hold is told by
// package conversation.
func notifications() API {
	return API{
		Name:        Notifications,
		Fields:      jsonevent.DefaultFields(),
		PayloadSize: SizeOfEvent,
		Talk: wsclient.Protocol{
			KeepAlive: wsclient.KeepAlive{
				Send:   `{"message":"ping"}`,
				Expect: wsclient.NewPattern(`{"topicName":"channel.metadata","eventBody":{"message":"pong"}}`),
			},
			Controls: []wsclient.ControlFrame{
				{Match: wsclient.NewPattern(`{"topicName":"channel.metadata"}`), Action: wsclient.Ignore},
				{Match: wsclient.NewPattern(`{"topicName":"v2.system.socket_closing"}`), Action: wsclient.Rotate},
				{Match: wsclient.NewPattern(`{"result":"404"}`), Action: wsclient.Renew},
				{Match: wsclient.NewPattern(`{"result":404}`), Action: wsclient.Renew},
			},
		},
		Heartbeat: wsclient.Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		Pace:      wsclient.Backoff{Initial: 2 * time.Second, Max: 90 * time.Second},
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
		Fields: jsonevent.Fields{
			Timestamp:   "createdAt",
			ChannelID:   "data.case.id || data.contact.id",
			ChannelType: "data.channel.id",
			UserID:      "data.message.authorUser.id",
			ID:          "data.message.id || traceId || eventId", // completed by package hubevent
			Text:        content + ".text || " + content + ".payload.text.content || " + content + ".payload || " + content + ".fallbackText",
		},
		Types: jsonevent.Types{
			wsevent.ConnectionOpen: {{kind: {hubevent.CaseCreated}}, {kind: parked, origin: {hubevent.CaseCreated}}},
			jsonevent.Reopen: {
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
		Talk: wsclient.Protocol{
			OnOpen: []wsclient.HandshakeStep{{
				Send: `{"action":"register","payload":{"token":"{{token}}"}}`, Expect: wsclient.NewPattern("authorized"),
			}},
			KeepAlive: wsclient.KeepAlive{Send: `{"action":"heartbeat"}`, Expect: wsclient.NewPattern("pong"), Unanswered: 5},
			Controls: []wsclient.ControlFrame{
				{Match: wsclient.NewPattern("authorized"), Action: wsclient.Ignore},
				{Match: wsclient.NewPattern("unauthorized"), Action: wsclient.Renew},
				{Match: wsclient.NewPattern("RATE_LIMIT_EXCEEDED"), Action: wsclient.Throttle},
			},
		},
		Heartbeat: wsclient.Heartbeat{Interval: 30 * time.Second, Timeout: 35 * time.Second},
		Pace:      wsclient.Backoff{Initial: time.Second, Max: time.Minute},
	}
}
