// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"encoding/hex"
	"time"
)

// SessionRecord is the EventName of a session record.
const SessionRecord = "ws_session"

// Outcomes of a session.
const (
	OutcomeClosed  = "closed"  // by a close that is not abnormal, or does not say
	OutcomeDropped = "dropped" // by an abnormal close
	OutcomeExpired = "expired" // without an event for channel_ttl
	OutcomeOpen    = "open"    // still open: the record is of a segment
)

// Keys of a session record's body. A key whose value is not known is absent, but for
// those that the description says are null.
const (
	KeySessionID        = "session_id" // hexadecimal: the trace ID of the session's first segment
	KeyChannelID        = "channel_id"
	KeyUserPseudoID     = "user_pseudo_id" // keyed hash
	KeyUserID           = "user_id"        // where it is asked for
	KeyStart            = "start"          // int, unix ms
	KeyEnd              = "end"            // int, unix ms
	KeyOutcome          = "outcome"
	KeyCloseCode        = "close_code"
	KeyCloseReason      = "close_reason"
	KeyMessagesSent     = FieldMessagesSent
	KeyMessagesReceived = FieldMessagesReceived
	KeyPayloadBytes     = TotalPayloadBytes // null where no message had a size
	KeyFirstReply       = "first_reply_ms"  // null without a reply
	KeyComplete         = FieldComplete
	KeySessionEvents    = "events"    // a slice of {offset_ms, type}
	KeyEventOffset      = "offset_ms" // from the session's start
	KeyEventType        = "type"
	KeyTraceID          = "trace_id" // hexadecimal
	KeySpanID           = "span_id"  // hexadecimal
	KeyTraceState       = "tracestate"
	KeySampled          = "sampled"
	KeySegment          = "segment"       // int, from 0; absent for a session of one segment
	KeySegmentStart     = "segment_start" // int, unix ms, with segment
	KeyReconnectOf      = "reconnect_of"  // hexadecimal trace ID
	KeyReconnectSpan    = "reconnect_of_span"
	KeySegments         = "segments" // the earlier ones: a slice of {trace_id, span_id}
)

// Keys of a window record that sessions add to it.
const (
	FieldConnectionsReopened = "connections_reopened" // opened by the user of a session that was dropped shortly before

	KeyTraces         = "traces"   // of sampled dropped sessions that ended in the window
	KeySessions       = "sessions" // running totals of sessions by outcome
	KeyOutcomes       = "outcomes"
	KeyDuration       = "duration"
	KeyReplies        = "first_reply"
	KeyExemplars      = "exemplars"
	KeyDurationMS     = "duration_ms"
	KeyHistogramScale = "scale"
	KeyHistogramCount = "count"
	KeyHistogramSum   = "sum_ms"
	KeyHistogramZero  = "zero"
	KeyHistogramFirst = "offset"
	KeyHistogramCells = "buckets"
)

// Metrics of sessions, with the dimensions and KeyOutcome as attributes.
const (
	MetricSessions          = "ws.sessions"            // cumulative sum
	MetricSessionDuration   = "ws.session.duration"    // exponential histogram, s
	MetricSessionFirstReply = "ws.session.first_reply" // exponential histogram, s
)

// TraceID identifies a trace, as W3C Trace Context has it. The zero value is none.
type TraceID [16]byte

// SpanID identifies a span, as W3C Trace Context has it. The zero value is none.
type SpanID [8]byte

// String returns the ID in hexadecimal.
func (t TraceID) String() string { return hex.EncodeToString(t[:]) }

// String returns the ID in hexadecimal.
func (s SpanID) String() string { return hex.EncodeToString(s[:]) }

// SpanContext is what a link or an exemplar needs of a span.
type SpanContext struct {
	TraceID TraceID
	SpanID  SpanID
}

// SessionEvent is an event that a session remembers.
type SessionEvent struct {
	Offset time.Duration // from the session's start
	Type   string
}

// Session is the record of a channel's session: from its open to its close or expiry, or,
// with OutcomeOpen, to the end of a segment. All numbers are of the session up to End.
type Session struct {
	Tags Tags
	SpanContext
	ID        TraceID // that of the first segment
	ChannelID string  // "" where it is not known
	UserID    string  // as configured: "" for none
	Pseudonym bool    // UserID is a keyed hash
	Start     UnixMilli
	End       UnixMilli
	Outcome   string

	CloseCode        int64
	CloseCodeKnown   bool // CloseCode was sent; 0 is one, too
	CloseReason      string
	MessagesSent     int64
	MessagesReceived int64
	PayloadBytes     int64
	PayloadKnown     bool
	FirstReply       time.Duration
	FirstReplyKnown  bool
	Complete         bool // its open is known, and no gap lies in it
	Events           []SessionEvent

	Sampled    bool
	TraceState string // "ot=th:…" where the sampling probability is known

	Segmented    bool // the session has more than one segment
	Segment      int  // from 0
	SegmentStart UnixMilli
	Earlier      []SpanContext // segments; the latest of them where there are many
	ReconnectOf  SpanContext   // the session that was dropped before
}

// Exemplar is a sampled session among the numbers of a window.
type Exemplar struct {
	SpanContext
	Time       UnixMilli // its end
	Outcome    string
	Duration   time.Duration
	FirstReply time.Duration
	Replied    bool
}

// SessionTotals are running totals of a series' sessions, by outcome. They begin where
// the window's Totals do.
type SessionTotals struct {
	Outcome    string
	Duration   Histogram // of all sessions
	FirstReply Histogram // of those with a reply
}

// HistogramScale is the scale of Histogram's buckets: their bounds grow by 2^(1/8), so
// that a quantile is off by at most 4.4 %.
const HistogramScale = 3

// Histogram is an exponential histogram of times in seconds. Bucket i holds those in
// (2^(i/8), 2^((i+1)/8)], for First ≤ i < First+len(Buckets).
type Histogram struct {
	Count   uint64
	Zero    uint64 // of 0 ms
	Sum     int64  // ms
	First   int32  // index of the first of Buckets
	Buckets []uint64
}
