// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// kind is the type of an event.
type kind uint8

const (
	connectionOpen kind = iota
	connectionClose
	messageSend
	messageReceive
)

func (k kind) String() string {
	switch k {
	case connectionOpen:
		return wsevent.ConnectionOpen
	case connectionClose:
		return wsevent.ConnectionClose
	case messageSend:
		return wsevent.MessageSend
	default:
		return wsevent.MessageReceive
	}
}

// identity is the 128 bits of a UUID.
type identity struct{ high, low uint64 }

// ending is how a connection ends, as its connection.close tells it.
type ending struct {
	code     int
	reason   string
	abnormal bool
}

// event is one thing that happened on the platform.
type event struct {
	at      time.Duration // traffic time: since the traffic began
	id      identity
	channel identity
	user    uint64
	ending  *ending // of closes
	series  int32   // index into the series
	payload int32   // bytes, of messages
	kind    kind
}

// Series names one set of dimensions.
type Series struct {
	TenantID    string `json:"tenant_id"`
	Region      string `json:"region"`
	ChannelType string `json:"channel_type"`
}
