// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/hubevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	niceCXone = "nice_cxone"
	// NICEDiscovery is the default of event_hub::discovery_url.
	NICEDiscovery = "https://cxone.niceincontact.com"
)

// EventHubConfig configures the digital event hub of NICE CXone.
type EventHubConfig struct {
	// TenantID and UserID select the hub; empty: those of the token.
	TenantID string `mapstructure:"tenant_id"`
	UserID   string `mapstructure:"user_id"`
	// DiscoveryURL is the root of the platform's discovery documents.
	DiscoveryURL string `mapstructure:"discovery_url"`
}

// niceDomains are the platform's domains.
func niceDomains() []string {
	return []string{"*.niceincontact.com", "*.nice-incontact.com", "*.incontact.com"}
}

func niceRealtime() API {
	a := realtimeOf(niceCXone, "nice.digital.v1")
	a.profile.AllowedHosts = niceDomains()
	return a
}

// niceEventHub is the digital event hub.
type niceEventHub struct{}

func (niceEventHub) Profile() *Profile {
	const kind, origin, status, direction = "eventType", "data.originEvent.eventType", "data.case.status", "data.message.direction"
	const contactStatus, content = "data.contact.status", "data.message.messageContent"
	messages, parked := hubevent.Messages(), []string{hubevent.Parked}
	statusChanged := []string{hubevent.CaseStatusChanged}
	return &Profile{
		Platform:    niceCXone,
		API:         "event_hub",
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
		Heartbeat:       wsclient.Heartbeat{Interval: 30 * time.Second, Timeout: 35 * time.Second},
		Backoff:         wsclient.Backoff{Initial: time.Second, Max: time.Minute},
		AllowedHosts:    niceDomains(),
		RedactByDefault: true,
		OpenChannels:    true,
		AbnormalReasons: abnormalReasons(),
	}
}

func (a niceEventHub) Validate(c *Config) error {
	return errors.Join(rejectSession(a.Profile(), c),
		Need(c.Deduplication > 0, "deduplication::window", c.Deduplication, "more than 0 with api: event_hub, which sends each message twice"))
}

// Endpoints returns the discovery endpoint, unless the hub's is configured. The
// platform names the others.
func (a niceEventHub) Endpoints(c *Config) (*Endpoints, error) {
	at := &Endpoints{}
	var err error
	if c.Endpoint != "" {
		if at, err = a.Profile().endpoints(c, "/"); err != nil {
			return nil, err
		}
	} else {
		if at.API, err = c.address(c.EventHub.DiscoveryURL); err != nil {
			return nil, fmt.Errorf("event_hub::discovery_url: %w", err)
		}
		at.API = httpRoot(at.API)
	}
	at.discoversToken = true
	return at.complete(c, a.Profile())
}

func (niceEventHub) Protocol(c *Config) wsclient.Protocol {
	return wsclient.Protocol{
		OnOpen: []wsclient.HandshakeStep{{
			Send: `{"action":"register","payload":{"token":"{{token}}"}}`, Expect: wsclient.NewPattern("authorized"),
		}},
		KeepAlive: wsclient.KeepAlive{
			Send: `{"action":"heartbeat"}`, Expect: wsclient.NewPattern("pong"), Interval: c.Heartbeat.Interval, Unanswered: 5,
		},
		Controls: []wsclient.ControlFrame{
			{Match: wsclient.NewPattern("authorized"), Action: wsclient.Ignore},
			{Match: wsclient.NewPattern("unauthorized"), Action: wsclient.Renew},
			{Match: wsclient.NewPattern("RATE_LIMIT_EXCEEDED"), Action: wsclient.Throttle},
		},
	}
}

func (niceEventHub) Connect(c *Config, at *Endpoints, env *Environment) (*Upstream, error) {
	hub := &eventhub.Hub{
		Client: env.Client, Discovery: at.API, Socket: at.Socket, Check: at.Check,
		Tenant: c.EventHub.TenantID, User: c.EventHub.UserID,
		Refused: func(err error) {
			env.Logger.Warn("The event hub address of the platform is not allowed; using the address derived from the tenant's area", zap.Error(err))
		},
	}
	tokenURL := hub.TokenURL
	if at.Token != nil {
		tokenURL = wsclient.StaticURL(at.Token)
	}
	up := newUpstream(c, env.tokens(c, tokenURL), hub.Prepare)
	up.History = newNICECases(hub).history()
	up.NewDecode = newDecode(func(next jsonevent.Sink) jsonevent.Sink { return &hubevent.Sink{Next: next} })
	return up, nil
}

// Diagnose discovers the event hub of the tenant.
func (niceEventHub) Diagnose(ctx context.Context, d *Diagnosis, up *Upstream) { d.address(ctx, up) }
