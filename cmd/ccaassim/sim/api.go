// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

// api is one of the ways in which a client is told of events.
type api uint8

const (
	realtimeEvents api = iota
	notifications
	eventHub
	connectChat
	taskRouter
	apis
)

func (a api) String() string {
	return [apis]string{"realtime_events", "notifications", "event_hub", "connect_chat", "task_router"}[a]
}

// tells is what a receiver can count of an event that this API tells.
func (a api) tells(e *event) Counts {
	var c Counts
	c.count(e)
	switch a {
	case notifications: // two participants
		c.ConnectionsOpened *= 2
		c.ConnectionsClosed *= 2
	case eventHub: // a message's text, but not why a case ends
		c.PayloadBytes, c.ConnectionsDropped = (c.MessagesSent+c.MessagesReceived)*int64(len(caseText)), 0
	case connectChat:
		c.PayloadBytes = 0
	}
	return c
}

// takes tells whether this API can tell an item: what is malformed among good
// objects is so in the words of the realtime events.
func (a api) takes(i *item) bool {
	return a == realtimeEvents || i.malformed == wellFormed || i.malformed.alone()
}
