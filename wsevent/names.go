// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package wsevent holds the names and types that the components share: the types of
// event records, their attributes, and the throughput window. It imports the standard
// library only; package wslog has the encoding.
//
// An event record is a log record for one event on a platform's WebSocket (a connection
// opened, a message was sent). Its dimensions (tenant, region, channel type) are
// attributes of the resource, everything else of the record. A window record is a log
// record whose body is a finished throughput window. Both are plain OTLP, so a pipeline
// may be cut anywhere between two components.
package wsevent

// Types of event records, as they stand in EventName. The first four come from
// the platform, the others are said by the components about the stream itself.
const (
	ConnectionOpen  = "connection.open"
	ConnectionClose = "connection.close"
	MessageSend     = "message.send"
	MessageReceive  = "message.receive"

	StreamConnected    = "stream.connected"
	StreamDisconnected = "stream.disconnected"
	StreamGap          = "stream.gap"
	StreamBackpressure = "stream.backpressure"
	StreamAlive        = "stream.alive"
	StreamHealed       = "stream.healed"
	StreamReconciled   = "stream.reconciled"
	ProtocolViolation  = "protocol.violation"

	ClockSkew  = "clock.skew"
	ClockDrift = "clock.drift"
)

// EventBlock is the EventName of a record that holds the events of a scope and batch,
// instead of a record for each. Its body has the format of package eventblock.
const EventBlock = "event.block"

// Attributes of event blocks.
const (
	BlockEvents     = "ccaas.block.events"     // int: how many events
	BlockVersion    = "ccaas.block.version"    // int: of the format
	ClockCorrection = "ccaas.clock.correction" // int, ns: to be taken from the times in the body; absent: nothing
)

// BlockCounted is the scope attribute (bool, true) of event records whose events are in
// event blocks, too: who counts events takes them from the blocks.
const BlockCounted = "ccaas.block.counted"

// Dimensions: resource attributes of every record, and the only attributes that
// ever become attributes of a metric.
const (
	TenantID    = "tenant_id"
	Region      = "region"
	ChannelType = "channel_type"
)

// Unknown stands where a dimension is named neither by the event nor by the
// configuration, and is the channel type of records about the stream itself.
const Unknown = "unknown"

// StreamKey returns the partition key of a stream: all its records, those about the
// stream itself included, have the same key.
func StreamKey(tenantID, region string) []byte {
	key := make([]byte, 0, len(tenantID)+1+len(region))
	key = append(key, tenantID...)
	key = append(key, '/')
	return append(key, region...)
}

// Overflow marks the set of dimensions that collects everything past max_series, where
// it stands alone in the place of the three dimensions, or past max_series_per_tenant,
// where it stands beside TenantID (OpenTelemetry metrics SDK specification, cardinality
// limits).
const Overflow = "otel.metric.overflow"

// Platform is the resource attribute that names the receiver's profile.
const Platform = "ccaas.platform"

// DimensionsDefaulted is the scope attribute of events that do not name all of
// their dimensions: a slice of the names, among TenantID, Region and ChannelType
// in this order, whose values on the resource are from the configuration or
// Unknown. The scope of events that name all three does not have it.
const DimensionsDefaulted = "ccaas.dimensions.defaulted"

// ClockSource is the scope attribute of events whose Timestamp is not by the clock
// that the skew of their stream is measured by: one of the Clock constants. It says
// nothing about that clock's skew, and is not corrected.
const ClockSource = "ccaas.clock.source"

// Clocks other than the platform's.
const (
	ClockOther    = "other"    // of a provider of the platform, or not known whose
	ClockReceiver = "receiver" // ours: the platform gave no time
)

// Attributes of event records.
const (
	ChannelID     = "ccaas.channel.id"
	UserID        = "ccaas.user.id"
	EventID       = "ccaas.event.id"
	PayloadSize   = "ccaas.payload.size"   // int, bytes; absent when unknown
	CloseCode     = "ccaas.close.code"     // int, RFC 6455 section 7.4
	CloseReason   = "ccaas.close.reason"   // the platform's own word
	CloseAbnormal = "ccaas.close.abnormal" // bool, on connection.close; absent if the platform does not report it

	// EventReconstructed is true on events that were not received on the socket, but
	// derived from a snapshot or from the platform's history; otherwise absent.
	EventReconstructed = "ccaas.event.reconstructed"
	// ChannelOpened is the start of the channel of a reconstructed connection.open, int,
	// unix ms; absent if the platform does not report it. Where it is the record's own
	// Timestamp, the channel was opened while the stream was watched: the event is one of
	// connections_opened. Otherwise the channel was open before.
	ChannelOpened = "ccaas.channel.opened"
)

// Attributes of records about the stream itself.
const (
	StreamCause          = "ccaas.stream.cause"
	StreamConnection     = "ccaas.stream.connection"     // int: which of the receiver's connections
	GapStart             = "ccaas.gap.start"             // int, unix ms
	GapEnd               = "ccaas.gap.end"               // int, unix ms
	AliveInterval        = "ccaas.alive.interval"        // int, ms: the time that a heartbeat covers
	BackpressureDuration = "ccaas.backpressure.duration" // double, ms
	ViolationReason      = "ccaas.violation.reason"      // one of the Violation constants
	ViolationLength      = "ccaas.violation.length"      // int, bytes of the piece, where it is not in the body
	ViolationHash        = "ccaas.violation.hash"        // SHA-256 of it in hexadecimal
	ClockSkewOffset      = "ccaas.clock.skew"            // double, ms; positive: the platform is ahead
	StreamRoundTrip      = "ccaas.stream.round_trip"     // double, ms, of the stream's connection
	HealedOpened         = "ccaas.healed.opened"         // int, on stream.healed: connection.open events reconstructed
	HealedClosed         = "ccaas.healed.closed"         // int: connection.close events reconstructed
	// On stream.reconciled, whose resource has the channel type.
	ConnectionsUnreconciled = "ccaas.connections.unreconciled" // int: our open conversations - the platform's; absent where it is not asked
	ConnectionsStuck        = "ccaas.connections.stuck"        // int: open conversations without an event for stuck_after
	HealedUnknown           = "ccaas.healed.unknown"           // slice of strings: what of the gap stays unknown
)

// HealedMessages is among HealedUnknown: no history has the messages of a gap.
const HealedMessages = "messages"

// HealedShortConnections is among HealedUnknown where the platform has no history: what
// was opened and closed within the gap.
const HealedShortConnections = "short_connections"

// CauseInitialState is the StreamCause of a stream.gap that lasts until the channels that
// were open before the start are known.
const CauseInitialState = "initial_state"

// CauseShutdown is the StreamCause of a disconnect by which the receiver itself ends.
const CauseShutdown = "shutdown"

// Attributes of clock.skew and clock.drift records, next to ClockSkewOffset.
const (
	ClockError      = "ccaas.clock.error"       // double, ms: how far off the skew may be
	ClockSamples    = "ccaas.clock.samples"     // int, events that the skew rests on
	ClockDriftRate  = "ccaas.clock.drift_rate"  // double, ppm; absent until it is known
	ClockHostOffset = "ccaas.clock.host_offset" // double, ms, by the reference; positive: we are ahead of true time
	ClockPhase      = "ccaas.clock.phase"       // one of the Phase constants, on clock.drift
	ClockCulprit    = "ccaas.clock.culprit"     // one of the Culprit constants, on clock.drift; absent without a reference
)

// Attributes that the drift processor adds to event records.
const (
	ClockMisaligned = "ccaas.clock.misaligned" // bool, true while the stream's clock is far off; else absent
	ClockOriginal   = "ccaas.clock.original"   // int, unix ns: the platform's time, where Timestamp is a corrected one
)

// Phases of a clock.drift episode.
const (
	PhaseOnset   = "onset"
	PhaseLasting = "lasting"
	PhaseEnd     = "end"
)

// Whose clock is wrong.
const (
	CulpritHost     = "host"
	CulpritPlatform = "platform"
	CulpritBoth     = "both"
)

// Reasons of a protocol.violation record. They are few and fixed, so that they
// can be counted by reason.
const (
	ViolationNotJSON          = "not_json"
	ViolationInvalidUTF8      = "invalid_utf8"
	ViolationTooDeep          = "too_deep"
	ViolationDuplicateKey     = "duplicate_key"
	ViolationWrongType        = "wrong_type"
	ViolationMissingType      = "missing_type"
	ViolationUnknownType      = "unknown_type"
	ViolationMissingChannelID = "missing_channel_id"
	ViolationMissingTimestamp = "missing_timestamp"
	ViolationBadTimestamp     = "bad_timestamp"
	ViolationFieldTooLong     = "field_too_long"
	ViolationInvalidCharacter = "invalid_characters"
	ViolationBinaryFrame      = "binary_frame"
	ViolationFrameTooLarge    = "frame_too_large"
	ViolationProtocolOrder    = "protocol_order"
)
