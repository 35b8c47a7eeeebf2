// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package truth counts what the simulator has sent, by series and outcome.
package truth

import (
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// Truth is what was sent, exactly: counted when the write to a socket returned.
// An event is sent, unsure (its write failed half way, so the client may have
// it), missed (it happened while no socket was there), or unsubscribed (no socket that
// was there is subscribed to it); never two of these. Malformed objects and duplicates are no events and count for themselves.
type Truth struct {
	Started      int64               `json:"started"` // unix ms of the first traffic, 0 before
	Done         bool                `json:"done"`    // the bound is reached, nothing more is sent
	Events       int64               `json:"events"`  // sent
	Frames       int64               `json:"frames"`  // sent, the malformed ones too
	Bytes        int64               `json:"bytes"`   // sent, on the wire
	Duplicates   int64               `json:"duplicates"`
	Violations   map[string]int64    `json:"violations"` // malformed frames and objects sent, by kind
	Total        Counts              `json:"total"`      // of Series
	Series       []SeriesTruth       `json:"series"`     // of events sent; only those that have any, or an open session
	Unsure       OutcomeCounts       `json:"unsure"`
	Missed       MissedEvents        `json:"missed"`
	Unsubscribed OutcomeCounts       `json:"unheard"`
	APIs         map[string]APITruth `json:"apis"` // what each API sent, of those that have had a socket
	Sockets      SocketTruth         `json:"sockets"`
	Requests     RequestTruth        `json:"requests"`
	Channels     ChannelTruth        `json:"channels"`
}

// APITruth is what one API sent, as its receiver can count it.
type APITruth struct {
	Events       int64          `json:"events"` // sent
	Total        Counts         `json:"total"`  // of Series
	Series       []SeriesCounts `json:"series"` // of events sent
	Unsure       OutcomeCounts  `json:"unsure"`
	Missed       MissedEvents   `json:"missed"`
	Unsubscribed OutcomeCounts  `json:"unheard"`
}

// Counts are the numbers of one series, as its windows and metrics have them.
type Counts struct {
	ConnectionsOpened  int64 `json:"connections_opened"`
	ConnectionsClosed  int64 `json:"connections_closed"`
	ConnectionsDropped int64 `json:"connections_dropped"` // closed abnormally; also in ConnectionsClosed
	MessagesSent       int64 `json:"messages_sent"`
	MessagesReceived   int64 `json:"messages_received"`
	PayloadBytes       int64 `json:"payload_bytes"`

	ConnectionsReopened int64 `json:"connections_reopened"` // by the user of a dropped one; also in ConnectionsOpened
}

// SeriesTruth is the truth of one series.
type SeriesTruth struct {
	traffic.Series
	Counts
	Open int64 `json:"open"` // sessions open on the platform, however the client came to know
}

// OutcomeCounts is what became of events that were not surely sent.
type OutcomeCounts struct {
	Events int64          `json:"events"`
	Series []SeriesCounts `json:"series,omitempty"`
}

// SeriesCounts are the counts of one series.
type SeriesCounts struct {
	traffic.Series
	Counts
}

// MissedEvents are the events that happened while no socket was there, and when.
type MissedEvents struct {
	OutcomeCounts
	Intervals []Interval `json:"intervals,omitempty"`
}

// Interval is a stretch of time in which events were missed, from the first to the
// last of them.
type Interval struct {
	Start  int64 `json:"start"` // unix ms
	End    int64 `json:"end"`
	Events int64 `json:"events"`
}

// SocketTruth is what became of sockets.
type SocketTruth struct {
	Accepted  int64 `json:"accepted"`
	Connected int64 `json:"connected"` // now
	Resets    int64 `json:"resets"`    // torn down by us, without a close frame
	Closed    int64 `json:"closed"`    // closed by us, with a close frame
	Left      int64 `json:"left"`      // ended by the client, or given up
}

// RequestTruth counts HTTP requests, the failed ones too.
type RequestTruth struct {
	Tokens       int64 `json:"tokens"`
	TokensIssued int64 `json:"tokens_issued"`
	Preflights   int64 `json:"preflights"`
	Upgrades     int64 `json:"upgrades"` // to any API's socket

	Channels                 int64 `json:"channels"` // to make one, or to list them
	Subscriptions            int64 `json:"subscriptions"`
	OverlappingSubscriptions int64 `json:"overlapping_subscriptions"` // begun while another of the same channel was not answered
	Queues                   int64 `json:"queues"`
	SelfChecks               int64 `json:"self_checks"` // available topics, and the client's own permissions
	RateLimited              int64 `json:"rate_limited"`
	Analytics                int64 `json:"analytics"`      // for open sessions and the history
	Configurations           int64 `json:"configurations"` // discovery documents
	Connections              int64 `json:"connections"`    // of participants of a chat
}

// ChannelTruth is what became of Notifications channels.
type ChannelTruth struct {
	Created int64 `json:"created"`
	Evicted int64 `json:"evicted"`
	Expired int64 `json:"expired"`
	Open    int64 `json:"open"` // now
}

// add adds other counts, so many times.
func (c *Counts) add(other *Counts, times int64) {
	c.ConnectionsOpened += times * other.ConnectionsOpened
	c.ConnectionsClosed += times * other.ConnectionsClosed
	c.ConnectionsDropped += times * other.ConnectionsDropped
	c.MessagesSent += times * other.MessagesSent
	c.MessagesReceived += times * other.MessagesReceived
	c.PayloadBytes += times * other.PayloadBytes
	c.ConnectionsReopened += times * other.ConnectionsReopened
}

// Events is how many events these are the counts of.
func (c *Counts) Events() int64 {
	return c.ConnectionsOpened + c.ConnectionsClosed + c.MessagesSent + c.MessagesReceived
}

// CountsOf is what an event counts for.
func CountsOf(e *traffic.Event) Counts {
	c := Counts{PayloadBytes: int64(e.Payload)}
	switch e.Kind {
	case traffic.ConnectionOpen:
		c.ConnectionsOpened = 1
		if e.Reconnect() {
			c.ConnectionsReopened = 1
		}
	case traffic.ConnectionClose:
		c.ConnectionsClosed = 1
		if e.Ending.Abnormal {
			c.ConnectionsDropped = 1
		}
	case traffic.MessageSend:
		c.MessagesSent = 1
	case traffic.MessageReceive:
		c.MessagesReceived = 1
	}
	return c
}
