// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Attributes of spans.
const (
	attributeLink     = "ccaas.link.type"
	linkReplaced      = "replaced"
	attributeErrorKey = "error.type"
)

// tracing makes a span of each attempt to connect, with its steps as children. Without a
// tracer that records it makes none, and costs nothing.
type tracing struct {
	tracer     trace.Tracer // nil: none
	connection int

	mutex    sync.Mutex
	previous trace.SpanContext // of the newest socket
	open     *attempt          // the latest, until its end
	gaps     []tracedGap       // before the next attempt
}

// tracedGap is a time in which events may be lost.
type tracedGap struct {
	from, to time.Time
	cause    Cause
}

// maxTracedGaps bounds the gaps that wait for an attempt.
const maxTracedGaps = 16

// attempt is the span of an attempt to connect; nil for one that is not traced.
type attempt struct {
	tracing *tracing
	span    trace.Span
	ctx     context.Context //nolint:containedctx // of the span, for its children
}

// begin starts the span of an attempt, linked to the socket that it replaces.
func (t *tracing) begin(ctx context.Context, fresh bool) (context.Context, *attempt) {
	if t.tracer == nil {
		return ctx, nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("network.protocol.name", "websocket"),
		attribute.Int(wsevent.StreamConnection, t.connection),
		attribute.Bool("ccaas.stream.fresh", fresh),
	)}
	if t.previous.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: t.previous, Attributes: []attribute.KeyValue{attribute.String(attributeLink, linkReplaced)}}))
	}
	inner, span := t.tracer.Start(ctx, "ccaas_ws.connect", options...)
	if !span.IsRecording() {
		span.End()
		return ctx, nil
	}
	a := &attempt{tracing: t, span: span, ctx: inner}
	for _, g := range t.gaps {
		a.gap(g)
	}
	t.open, t.gaps = a, nil
	return inner, a
}

// gap adds a gap to the attempt that ends it, or else to the next one.
func (t *tracing) gap(from, to time.Time, cause Cause) {
	if t.tracer == nil {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	g := tracedGap{from, to, cause}
	switch {
	case t.open != nil:
		t.open.gap(g)
	case len(t.gaps) < maxTracedGaps:
		t.gaps = append(t.gaps, g)
	}
}

func (a *attempt) gap(g tracedGap) {
	a.span.AddEvent(wsevent.StreamGap, trace.WithTimestamp(g.to), trace.WithAttributes(
		attribute.Int64(wsevent.GapStart, g.from.UnixMilli()), attribute.Int64(wsevent.GapEnd, g.to.UnixMilli()),
		attribute.String(wsevent.StreamCause, string(g.cause)),
	))
}

// address adds the server, without the path, which may hold a secret.
func (a *attempt) address(u *url.URL) {
	if a == nil {
		return
	}
	a.span.SetAttributes(attribute.String("server.address", u.Hostname()))
	if port, err := strconv.Atoi(u.Port()); err == nil {
		a.span.SetAttributes(attribute.Int("server.port", port))
	}
}

// failed ends the span of an attempt that failed. Its error is in the log: a span may go
// where the platform's texts must not.
func (a *attempt) failed(failure *Failure) {
	if a != nil {
		refuse(a.span, failure)
		a.end()
	}
}

// connected ends the span of an attempt whose socket is up, and starts that of the wait
// for its first frame, which it returns.
func (a *attempt) connected() trace.Span {
	if a == nil {
		return nil
	}
	a.tracing.mutex.Lock()
	a.tracing.previous = a.span.SpanContext()
	a.tracing.mutex.Unlock()
	_, first := a.tracing.tracer.Start(a.ctx, "first frame")
	a.end()
	return first
}

// end ends the span, also of a socket that nobody wants any more.
func (a *attempt) end() {
	if a == nil {
		return
	}
	a.tracing.mutex.Lock()
	if a.tracing.open == a {
		a.tracing.open = nil
	}
	a.tracing.mutex.Unlock()
	a.span.End()
}

func refuse(span trace.Span, failure *Failure) {
	span.SetStatus(codes.Error, string(failure.Cause))
	span.SetAttributes(attribute.String(attributeErrorKey, string(failure.Cause)))
}

// step starts a child of the span in ctx, if that is recorded. The returned function ends it.
func step(ctx context.Context, name string) (context.Context, func(*Failure)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(*Failure) {}
	}
	inner, span := parent.TracerProvider().Tracer(tracerName).Start(ctx, name)
	return inner, func(failure *Failure) {
		if failure != nil {
			refuse(span, failure)
		}
		span.End()
	}
}

// tracerName is the scope of steps, which have it from their parent.
const tracerName = "github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver"

// dialSteps makes spans of the steps of a dial: dns, tcp, tls and upgrade.
type dialSteps struct {
	attempt *attempt

	mutex   sync.Mutex // several addresses are dialled at a time
	dns     trace.Span
	tcp     map[string]trace.Span // by address
	tls     trace.Span
	upgrade time.Time // its start
}

// dialing returns the context of a dial, whose steps become children.
func (a *attempt) dialing(ctx context.Context) (context.Context, *dialSteps) {
	if a == nil {
		return ctx, nil
	}
	d := &dialSteps{attempt: a, tcp: map[string]trace.Span{}}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { d.do(func() { d.dns = d.child("dns", time.Now()) }) },
		DNSDone:      func(i httptrace.DNSDoneInfo) { d.do(func() { endStep(d.dns, i.Err) }) },
		ConnectStart: func(_, address string) { d.do(func() { d.tcp[address] = d.child("tcp", time.Now()) }) },
		ConnectDone: func(_, address string, err error) {
			d.do(func() { endStep(d.tcp[address], err); delete(d.tcp, address) })
		},
		GotConn:           func(httptrace.GotConnInfo) { d.do(func() { d.upgrade = time.Now() }) },
		TLSHandshakeStart: func() { d.do(func() { d.tls = d.child("tls", time.Now()) }) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			d.do(func() { endStep(d.tls, err); d.upgrade = time.Now() })
		},
	}), d
}

func (d *dialSteps) do(change func()) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	change()
}

func (d *dialSteps) child(name string, at time.Time) trace.Span {
	_, span := d.attempt.tracing.tracer.Start(d.attempt.ctx, name, trace.WithTimestamp(at))
	return span
}

// end ends the dial: whatever step has begun, and the upgrade.
func (d *dialSteps) end(err error) {
	if d == nil {
		return
	}
	d.do(func() {
		for _, span := range d.tcp {
			endStep(span, net.ErrClosed)
		}
		clear(d.tcp)
		if !d.upgrade.IsZero() {
			endStep(d.child("upgrade", d.upgrade), err)
		}
	})
}

func endStep(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
