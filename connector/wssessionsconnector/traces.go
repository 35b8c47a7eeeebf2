// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wssessionsconnector

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// Attributes of spans and links. The README says which convention each follows.
const (
	attributeService       = "service.name"
	attributeProtocol      = "network.protocol.name"
	attributeSession       = "session.id"
	attributePreviousTrace = "session.previous_id"
	attributePseudonym     = "enduser.pseudo.id"
	attributeUser          = "enduser.id"
	attributeConversation  = "messaging.message.conversation_id"
	attributeErrorType     = "error.type"
	attributeOutcome       = "ccaas.session.outcome"
	attributeComplete      = "ccaas.session.complete"
	attributeSegment       = "ccaas.session.segment"
	attributeSent          = "ccaas.session.messages.sent"
	attributeReceived      = "ccaas.session.messages.received"
	attributePayload       = "ccaas.session.payload.size"
	attributeFirstReply    = "ccaas.session.first_reply"
	attributeLink          = "ccaas.link.type"

	linkReconnect = "reconnect"
	linkSegment   = "segment"

	serviceName = "ccaas"
	spanName    = "ws.session"
)

// traces returns one root span for each session. Sessions in a row with the same tags
// share a resource.
func traces(sessions []wsevent.Session) ptrace.Traces {
	traces := ptrace.NewTraces()
	var spans ptrace.SpanSlice
	for i := range sessions {
		if i == 0 || sessions[i].Tags != sessions[i-1].Tags {
			resource := traces.ResourceSpans().AppendEmpty()
			wslog.PutTags(resource.Resource().Attributes(), sessions[i].Tags)
			resource.Resource().Attributes().PutStr(attributeService, serviceName)
			scope := resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName(metadata.ScopeName)
			spans = scope.Spans()
		}
		encode(spans.AppendEmpty(), &sessions[i])
	}
	return traces
}

func encode(span ptrace.Span, s *wsevent.Session) {
	span.SetName(spanName)
	span.SetKind(ptrace.SpanKindServer)
	span.SetTraceID(pcommon.TraceID(s.TraceID))
	span.SetSpanID(pcommon.SpanID(s.SpanID))
	span.TraceState().FromRaw(s.TraceState)
	// A trace is of one segment. An expired session ends with its latest event, which may
	// lie in an earlier one.
	start := s.Start
	if s.Segmented {
		start = s.SegmentStart
	}
	span.SetStartTimestamp(timestamp(start))
	span.SetEndTimestamp(timestamp(max(start, s.End)))
	putAttributes(span.Attributes(), s)
	if s.Outcome == wsevent.OutcomeDropped {
		span.Attributes().PutStr(attributeErrorType, errorType(s))
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("connection dropped")
	}
	for _, event := range s.Events {
		if at := s.Start.Add(event.Offset); at >= start {
			one := span.Events().AppendEmpty()
			one.SetName(event.Type)
			one.SetTimestamp(timestamp(at))
		}
	}
	if s.ReconnectOf != (wsevent.SpanContext{}) {
		link(span, s.ReconnectOf, linkReconnect)
	}
	for _, earlier := range s.Earlier {
		link(span, earlier, linkSegment)
	}
}

func putAttributes(attributes pcommon.Map, s *wsevent.Session) {
	attributes.EnsureCapacity(20)
	wslog.PutTags(attributes, s.Tags)
	attributes.PutStr(attributeProtocol, "websocket")
	attributes.PutStr(attributeSession, s.ID.String())
	if s.ReconnectOf != (wsevent.SpanContext{}) {
		attributes.PutStr(attributePreviousTrace, s.ReconnectOf.TraceID.String())
	}
	put(attributes, wsevent.ChannelID, s.ChannelID)
	put(attributes, attributeConversation, s.ChannelID)
	if s.Pseudonym {
		put(attributes, attributePseudonym, s.UserID)
	} else {
		put(attributes, attributeUser, s.UserID)
	}
	attributes.PutStr(attributeOutcome, s.Outcome)
	if s.CloseCodeKnown {
		attributes.PutInt(wsevent.CloseCode, s.CloseCode)
	}
	put(attributes, wsevent.CloseReason, s.CloseReason)
	attributes.PutBool(attributeComplete, s.Complete)
	attributes.PutInt(attributeSent, s.MessagesSent)
	attributes.PutInt(attributeReceived, s.MessagesReceived)
	if s.PayloadKnown {
		attributes.PutInt(attributePayload, s.PayloadBytes)
	}
	if s.FirstReplyKnown {
		attributes.PutDouble(attributeFirstReply, s.FirstReply.Seconds())
	}
	if s.Segmented {
		attributes.PutInt(attributeSegment, int64(s.Segment))
	}
}

func put(attributes pcommon.Map, key, text string) {
	if text != "" {
		attributes.PutStr(key, text)
	}
}

// errorType is the kind of a drop: the platform's word for it, else that there was none.
func errorType(s *wsevent.Session) string {
	if s.CloseReason != "" {
		return s.CloseReason
	}
	return "connection_dropped"
}

func link(span ptrace.Span, to wsevent.SpanContext, kind string) {
	one := span.Links().AppendEmpty()
	one.SetTraceID(pcommon.TraceID(to.TraceID))
	one.SetSpanID(pcommon.SpanID(to.SpanID))
	one.Attributes().PutStr(attributeLink, kind)
}

func timestamp(ms wsevent.UnixMilli) pcommon.Timestamp { return pcommon.Timestamp(max(0, ms) * 1e6) }
