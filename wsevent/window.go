// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"math"
	"time"
)

// ThroughputMetric is the EventName of a window record, and the value of
// "metric" in its body.
const ThroughputMetric = "ws_throughput"

// Keys of a window record's body, and of its "fields" and "totals" maps.
const (
	KeyMetric    = "metric"
	KeyTags      = "tags"
	KeyFields    = "fields"
	KeyTotals    = "totals"
	KeyTimestamp = "timestamp"  // int, unix ms: the window's start
	KeyWindowEnd = "window_end" // int, unix ms
	KeyStep      = "step_ms"    // int: from the start of a window to that of the next

	FieldActiveConnections  = "active_connections"
	FieldMessagesPerSecond  = "messages_per_second"
	FieldPayloadBytesTotal  = "payload_bytes_total"
	FieldDropRatePercent    = "drop_rate_percent"
	FieldMessagesSent       = "messages_sent"
	FieldMessagesReceived   = "messages_received"
	FieldMessagesUnsized    = "messages_unsized"
	FieldConnectionsOpened  = "connections_opened"
	FieldConnectionsClosed  = "connections_closed"
	FieldConnectionsDropped = "connections_dropped"
	FieldBackpressureEvents = "backpressure_events"
	FieldProtocolViolations = "protocol_violations"
	FieldLateEvents         = "late_events"
	FieldClockSkew          = "clock_skew_ms"
	FieldComplete           = "complete"

	// Absent where the platform is not asked.
	FieldUnreconciled = "connections_unreconciled"
	FieldStuck        = "connections_stuck"

	// Absent where no gap of the stream has been healed.
	FieldHealedSince = "gaps_healed_since" // int, unix ms
	FieldHealedUntil = "gaps_healed_until" // int, unix ms

	TotalSince        = "since" // int, unix ms
	TotalPayloadBytes = "payload_bytes"

	// Sums of reconstructed events, absent where there are none.
	TotalReconstructedOpened  = "reconstructed_opened"  // also in connections_opened
	TotalReconstructedClosed  = "reconstructed_closed"  // also in connections_closed
	TotalReconstructedPresent = "reconstructed_present" // channels that were open before: in no other sum
)

// Tags are the dimensions of a series. With Overflow set the others are empty, but for
// TenantID where only the tenant's own limit is reached.
type Tags struct {
	TenantID    string
	Region      string
	ChannelType string
	Overflow    bool
}

// Counts are the numbers that a window and the running totals have in common.
type Counts struct {
	MessagesSent       int64
	MessagesReceived   int64
	MessagesUnsized    int64 // of both, without a payload size
	PayloadBytes       int64
	ConnectionsOpened  int64
	ConnectionsClosed  int64
	ConnectionsDropped int64 // closed abnormally; also in ConnectionsClosed
	ClosesUnclassified int64 // in ConnectionsClosed; nothing says whether abnormally
	BackpressureEvents int64
	ProtocolViolations int64
	LateEvents         int64

	ConnectionsReopened int64 `json:",omitzero"` // in ConnectionsOpened: by the user of a session that was dropped before
}

// Sum describes one number of Counts. Window records, saved state and metrics are made by
// this description.
type Sum struct {
	Of    func(*Counts) *int64
	Saved int // number in saved state, from 1; that of a removed one is not used again

	Field, Total string             // keys in "fields" and "totals" of a window record; empty: it is in no record
	Known        func(*Window) bool // nil: it always is
	Optional     bool               // absent, and not null, where it is not known

	Metric, Unit, Description string // of Total as a cumulative sum
}

// Sums are the numbers of Counts.
var Sums = [...]Sum{
	{
		Saved: 4, Of: func(c *Counts) *int64 { return &c.PayloadBytes }, Known: func(w *Window) bool { return w.Totals.PayloadKnown() },
		Field: FieldPayloadBytesTotal, Total: TotalPayloadBytes,
		Metric: "ws.payload", Unit: "By", Description: "Payload bytes, in both directions.",
	}, {
		Saved: 1, Of: func(c *Counts) *int64 { return &c.MessagesSent },
		Field: FieldMessagesSent, Total: FieldMessagesSent,
		Metric: "ws.messages.sent", Unit: "{message}", Description: "Number of messages sent (message.send).",
	}, {
		Saved: 2, Of: func(c *Counts) *int64 { return &c.MessagesReceived },
		Field: FieldMessagesReceived, Total: FieldMessagesReceived,
		Metric: "ws.messages.received", Unit: "{message}", Description: "Number of messages received (message.receive).",
	}, {
		Saved: 3, Of: func(c *Counts) *int64 { return &c.MessagesUnsized },
		Field: FieldMessagesUnsized, Total: FieldMessagesUnsized,
		Metric: "ws.messages.unsized", Unit: "{message}", Description: "Number of messages without a payload size, in both directions.",
	}, {
		Saved: 5, Of: func(c *Counts) *int64 { return &c.ConnectionsOpened },
		Field: FieldConnectionsOpened, Total: FieldConnectionsOpened,
		Metric: "ws.connections.opened", Unit: "{connection}", Description: "Number of connections opened.",
	}, {
		Saved: 6, Of: func(c *Counts) *int64 { return &c.ConnectionsClosed },
		Field: FieldConnectionsClosed, Total: FieldConnectionsClosed,
		Metric: "ws.connections.closed", Unit: "{connection}", Description: "Number of connections closed, normally or abnormally.",
	}, {
		Saved: 12, Of: func(c *Counts) *int64 { return &c.ConnectionsReopened }, Known: func(w *Window) bool { return w.SessionsKnown }, Optional: true,
		Field: FieldConnectionsReopened, Total: FieldConnectionsReopened,
		Metric: "ws.connections.reopened", Unit: "{connection}", Description: "Number of connections opened by the user of a session that was dropped shortly before.",
	}, {
		Saved: 7, Of: func(c *Counts) *int64 { return &c.ConnectionsDropped }, Known: func(w *Window) bool { return w.Totals.DropsKnown() },
		Field: FieldConnectionsDropped, Total: FieldConnectionsDropped,
		Metric: DroppedMetric, Unit: "{connection}", Description: "Number of connections that closed abnormally.",
	}, {
		Saved: 8, Of: func(c *Counts) *int64 { return &c.ClosesUnclassified },
	}, {
		Saved: 9, Of: func(c *Counts) *int64 { return &c.BackpressureEvents },
		Field: FieldBackpressureEvents, Total: FieldBackpressureEvents,
		Metric: "ws.backpressure.events", Unit: "{event}", Description: "Number of times that reading was blocked by backpressure.",
	}, {
		Saved: 10, Of: func(c *Counts) *int64 { return &c.ProtocolViolations },
		Field: FieldProtocolViolations, Total: FieldProtocolViolations,
		Metric: "ws.protocol.violations", Unit: "{event}", Description: "Number of frames or parts of frames that are not valid events.",
	}, {
		Saved: 11, Of: func(c *Counts) *int64 { return &c.LateEvents },
		Field: FieldLateEvents, Total: FieldLateEvents,
		Metric: "ws.late_events", Unit: "{event}", Description: "Number of events that were too late for their window; the other sums include them.",
	},
}

// Reconstructed are the running numbers of events that were not received on the socket,
// but derived from a snapshot or from the platform's history.
type Reconstructed struct {
	Opened  int64 // also in ConnectionsOpened
	Closed  int64 // also in ConnectionsClosed
	Present int64 // channels that were open before the stream was watched; in no other number
}

// Reconciled is the latest comparison of our open conversations with the platform's.
type Reconciled struct {
	Unreconciled      int64 // ours - the platform's
	UnreconciledKnown bool
	Stuck             int64 // ours that have had no event for long
	StuckKnown        bool
}

// Healed is a time in which every gap of a stream has been healed: its opens and closes
// are in the totals of the window, though windows of the gaps stay incomplete.
type Healed struct{ Since, Until UnixMilli }

// Add adds other to c. A sum that would exceed the largest int64 stays there. No count
// may be negative.
func (c *Counts) Add(other *Counts) {
	c.MessagesSent = AddSaturating(c.MessagesSent, other.MessagesSent)
	c.MessagesReceived = AddSaturating(c.MessagesReceived, other.MessagesReceived)
	c.MessagesUnsized = AddSaturating(c.MessagesUnsized, other.MessagesUnsized)
	c.PayloadBytes = AddSaturating(c.PayloadBytes, other.PayloadBytes)
	c.ConnectionsOpened = AddSaturating(c.ConnectionsOpened, other.ConnectionsOpened)
	c.ConnectionsClosed = AddSaturating(c.ConnectionsClosed, other.ConnectionsClosed)
	c.ConnectionsDropped = AddSaturating(c.ConnectionsDropped, other.ConnectionsDropped)
	c.ClosesUnclassified = AddSaturating(c.ClosesUnclassified, other.ClosesUnclassified)
	c.BackpressureEvents = AddSaturating(c.BackpressureEvents, other.BackpressureEvents)
	c.ProtocolViolations = AddSaturating(c.ProtocolViolations, other.ProtocolViolations)
	c.LateEvents = AddSaturating(c.LateEvents, other.LateEvents)
	c.ConnectionsReopened = AddSaturating(c.ConnectionsReopened, other.ConnectionsReopened)
}

// AddSaturating returns a + b, at most math.MaxInt64. Neither may be negative.
func AddSaturating(a, b int64) int64 {
	if sum := a + b; sum >= 0 {
		return sum
	}
	return math.MaxInt64
}

// Messages is the number of messages, both ways.
func (c *Counts) Messages() int64 { return AddSaturating(c.MessagesSent, c.MessagesReceived) }

// PayloadKnown reports whether PayloadBytes is a number that is known: a message
// had a size, or there was none at all.
func (c *Counts) PayloadKnown() bool {
	messages := c.Messages()
	return messages == 0 || c.MessagesUnsized < messages
}

// DropsKnown reports whether ConnectionsDropped is a number that is known: a close
// was marked as abnormal or not, or there was none at all.
func (c *Counts) DropsKnown() bool {
	return c.ConnectionsClosed == 0 || c.ClosesUnclassified < c.ConnectionsClosed
}

// Saturated reports whether a sum has reached the largest int64. Of all sums only that of
// payload bytes can: it grows by more than one at a time.
func (c *Counts) Saturated() bool { return c.PayloadBytes == math.MaxInt64 }

// UnixMilli is a point in time, in milliseconds since the Unix epoch.
type UnixMilli int64

// Time returns t as a time.Time.
func (t UnixMilli) Time() time.Time { return time.UnixMilli(int64(t)) }

// Add returns t + d, cut to milliseconds.
func (t UnixMilli) Add(d time.Duration) UnixMilli { return t + UnixMilli(d.Milliseconds()) }

// Window is one finished window of one series: [Start, End), event time.
type Window struct {
	Tags              Tags
	Start, End        UnixMilli
	Step              time.Duration // from the start of a window to that of the next; a multiple of 1 ms
	ActiveConnections int64
	Counts            Counts
	ClockSkew         float64 // ms, positive: the platform is ahead
	ClockSkewKnown    bool
	Complete          bool

	Since  UnixMilli // where Totals begin
	Totals Counts

	SessionsKnown bool            `json:",omitzero"` // the fields below, and ConnectionsReopened, are known
	Dropped       []Exemplar      `json:",omitzero"` // sampled sessions that were dropped in the window
	Exemplars     []Exemplar      `json:",omitzero"` // sampled sessions that are new in Sessions
	Sessions      []SessionTotals `json:",omitzero"` // up to the window's end, by outcome
	SessionsSince UnixMilli       `json:",omitzero"` // where Sessions begin
	// Reconstructed are totals, too.
	Reconstructed Reconstructed `json:",omitzero"`
	Reconciled    Reconciled    `json:",omitzero"`
	Healed        Healed        `json:",omitzero"`
}

// MessagesPerSecond is (sent + received) / size.
func (w *Window) MessagesPerSecond() float64 {
	size := float64(w.End-w.Start) / 1000
	return float64(w.Counts.Messages()) / size
}

// DropRateKnown reports whether there is a drop rate: not where drops had no channels
// that could have been active.
func (w *Window) DropRateKnown() bool {
	return w.Totals.DropsKnown() && (w.ActiveConnections > 0 || w.Counts.ConnectionsDropped == 0)
}

// DropRatePercent is the share of the active connections that closed
// abnormally, 0 when none was open.
func (w *Window) DropRatePercent() float64 {
	if w.ActiveConnections == 0 {
		return 0
	}
	return float64(w.Counts.ConnectionsDropped) / float64(w.ActiveConnections) * 100
}
