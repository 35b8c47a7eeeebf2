// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Kind is the type of an event.
type Kind uint8

// The types of events.
const (
	ConnectionOpen Kind = iota
	ConnectionClose
	MessageSend
	MessageReceive
)

func (k Kind) String() string {
	switch k {
	case ConnectionOpen:
		return wsevent.ConnectionOpen
	case ConnectionClose:
		return wsevent.ConnectionClose
	case MessageSend:
		return wsevent.MessageSend
	default:
		return wsevent.MessageReceive
	}
}

// ID is the 128 bits of a UUID.
type ID struct{ High, Low uint64 }

// Ending is how a connection ends, by its connection.close.
type Ending struct {
	Code     int
	Reason   string
	Abnormal bool
}

// Event is one thing that happened on the platform.
type Event struct {
	at      time.Duration // traffic time: since the traffic began
	Id      ID
	Channel ID
	User    uint64
	Ending  *Ending // of closes
	Series  int32   // index into the series
	Payload int32   // bytes, of messages
	Kind    Kind

	Replaces ID // of opens: the channel on which the user was dropped before; zero: none
}

// Series names one set of dimensions.
type Series struct {
	TenantID    string `json:"tenant_id"`
	Region      string `json:"region"`
	ChannelType string `json:"channel_type"`
}

// Reconnect reports whether the event opens a session whose user was dropped before.
func (e *Event) Reconnect() bool { return e.Replaces != ID{} }

// mixing spreads numbers over 64 bits: 2^64 by the golden ratio.
const mixing = 0x9e3779b97f4a7c15

// Other is the identity of something else that belongs to this one.
func (i ID) Other(what uint64) ID {
	return ID{High: i.High ^ what*mixing, Low: i.Low ^ what}
}
