// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// traced returns the spans of a session, by name.
func traced(t *testing.T, f *fake, to *witness, during time.Duration, change func(*Settings)) map[string][]sdk.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	play(t, f, to, during, func(s *Settings) {
		s.Tracer, s.Connection = provider.Tracer("test"), 3
		if change != nil {
			change(s)
		}
	})
	assert.Len(t, recorder.Ended(), len(recorder.Started()), "every span ends")
	spans := map[string][]sdk.ReadOnlySpan{}
	for _, span := range recorder.Ended() {
		spans[span.Name()] = append(spans[span.Name()], span)
	}
	return spans
}

func attributesOf(span sdk.ReadOnlySpan) map[string]any {
	all := map[string]any{}
	for _, one := range span.Attributes() {
		all[string(one.Key)] = one.Value.AsInterface()
	}
	return all
}

func TestTracing_StepsOfAnAttempt(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(conn *websocket.Conn) {
		time.Sleep(5 * time.Second)
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"message.send"}`))
		drain(conn)
	}}
	spans := traced(t, f, &witness{}, 10*time.Second, nil)
	require.Len(t, spans["ccaas_ws.connect"], 1)
	root := spans["ccaas_ws.connect"][0]
	assert.False(t, root.Parent().IsValid())
	assert.Equal(t, codes.Unset, root.Status().Code)
	assert.Equal(t, map[string]any{
		"network.protocol.name": "websocket", "ccaas.stream.connection": int64(3), "ccaas.stream.fresh": false, "server.address": "platform",
	}, attributesOf(root))
	for _, name := range []string{"token", "pre-flight", "upgrade", "first frame"} {
		require.Len(t, spans[name], 1, name)
		assert.Equal(t, root.SpanContext().TraceID(), spans[name][0].SpanContext().TraceID(), name)
		assert.Equal(t, root.SpanContext().SpanID(), spans[name][0].Parent().SpanID(), name)
	}
	first := spans["first frame"][0]
	assert.Equal(t, 5*time.Second, first.EndTime().Sub(first.StartTime()))
}

func TestTracing_FailedAttempt(t *testing.T) {
	t.Parallel()
	f := &fake{upgrade: answer(http.StatusServiceUnavailable)}
	spans := traced(t, f, &witness{}, 500*time.Millisecond, nil)
	require.NotEmpty(t, spans["ccaas_ws.connect"])
	root := spans["ccaas_ws.connect"][0]
	assert.Equal(t, codes.Error, root.Status().Code)
	assert.Equal(t, string(Unavailable), attributesOf(root)["error.type"])
	assert.Equal(t, codes.Error, spans["upgrade"][0].Status().Code)
	assert.Empty(t, spans["first frame"])
}

// An attempt is linked to the socket that it replaces, and has the gap that it ends as an event.
func TestTracing_LinkAndGap(t *testing.T) {
	t.Parallel()
	sockets := 0
	f := &fake{socket: func(conn *websocket.Conn) {
		if sockets++; sockets > 1 {
			drain(conn)
			return
		}
		time.Sleep(10 * time.Second)
		_ = conn.NetConn().Close()
	}}
	to := &witness{}
	to.onEnd = func(end *End) { to.session.RecordGap(end.LastActivity, end.At, end.Cause) }
	spans := traced(t, f, to, 25*time.Second, nil)["ccaas_ws.connect"]
	require.GreaterOrEqual(t, len(spans), 2)
	assert.Empty(t, spans[0].Links())
	require.Len(t, spans[1].Links(), 1)
	assert.Equal(t, spans[0].SpanContext().TraceID(), spans[1].Links()[0].SpanContext.TraceID())
	require.Len(t, spans[1].Events(), 1)
	gap := spans[1].Events()[0]
	assert.Equal(t, wsevent.StreamGap, gap.Name)
	assert.True(t, slices.ContainsFunc(gap.Attributes, func(a attribute.KeyValue) bool {
		return a.Key == wsevent.StreamCause && a.Value.AsString() == string(Reset)
	}))
}

// A tracer that does not record, as with service::telemetry::traces::level: none, makes no
// span of a step.
func TestTracing_Off(t *testing.T) { //nolint:paralleltest // it counts allocations
	s := New(Settings{}, nil)
	ctx, attempt := s.tracing.begin(t.Context(), false)
	assert.Nil(t, attempt)
	assert.Equal(t, t.Context(), ctx)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, one := s.tracing.begin(ctx, false)
		inner, done := step(ctx, "token")
		done(nil)
		_, steps := one.dialing(inner)
		steps.end(nil)
		_ = one.connected()
		s.RecordGap(time.Time{}, time.Time{}, Reset)
	}))
}
