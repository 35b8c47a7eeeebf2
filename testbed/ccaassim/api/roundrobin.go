// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Encoding writes events in the form of one API.
type Encoding interface {
	// Takes reports whether the API can send an item.
	Takes(i *traffic.Item) bool
	// Encode appends the frames of the items that the API takes.
	Encode(f *FrameBuffer, b *traffic.Batch, t *fault.Trouble)
}

// RoundRobin sends every event to the next ready socket, to all of the next client,
// or to all. An API embeds it.
type RoundRobin struct {
	api      truth.API
	encoding Encoding
	delivery config.Delivery
	turn     int
	frames   FrameBuffer
}

// NewRoundRobin makes the sender of an API.
func NewRoundRobin(id truth.API, encoding Encoding, delivery config.Delivery) *RoundRobin {
	return &RoundRobin{api: id, encoding: encoding, delivery: delivery}
}

// Counts are those of the events themselves.
func (*RoundRobin) Counts(e *traffic.Event) truth.Counts { return truth.CountsOf(e) }

// Counted does nothing: nothing is kept for a batch.
func (*RoundRobin) Counted(*truth.Batch) {}

// TroubleChanged does nothing: there is no state to change.
func (*RoundRobin) TroubleChanged() {}

// Close does nothing: there are no timers.
func (*RoundRobin) Close() {}

// Send writes a batch. A socket that is closing takes nothing, and the next one gets
// the batch.
func (r *RoundRobin) Send(b *truth.Batch, sockets []*Socket, t *fault.Trouble) (all SendResult) {
	if len(sockets) == 0 {
		return SendResult{}
	}
	r.frames.Reset()
	r.encoding.Encode(&r.frames, &b.Batch, t)
	r.turn++
	for n := range sockets {
		first := sockets[(r.turn+n)%len(sockets)]
		targets := r.targets(sockets, first)
		result := r.write(b, targets)
		all.Add(result)
		if result.Some || len(targets) == len(sockets) {
			break
		}
	}
	return all
}

// targets are the sockets that get what the first of them gets.
func (r *RoundRobin) targets(sockets []*Socket, first *Socket) []*Socket {
	switch r.delivery {
	case config.DeliverBroadcast:
		return sockets
	case config.DeliverClient:
		others := func(other *Socket) bool { return other.client != first.client }
		return slices.DeleteFunc(slices.Clone(sockets), others)
	default:
		return []*Socket{first}
	}
}

func (r *RoundRobin) write(b *truth.Batch, targets []*Socket) (all SendResult) {
	best := truth.Missed
	for _, target := range targets {
		o := target.Deliver(r.frames.Bytes)
		all.Add(SendResult{Some: o != truth.Missed, Left: o == truth.Missed})
		best = min(best, o)
	}
	for n := range b.Items {
		if r.encoding.Takes(&b.Items[n]) {
			b.Note(r.api, n, best)
		}
	}
	if best == truth.Sent {
		b.SentFrames += int64(r.frames.Count)
		b.SentBytes += int64(len(r.frames.Bytes))
	}
	return all
}

// TakesFrames reports whether an API other than realtime_events can send an item: an
// event, or one that is malformed as a frame and not as an object of those.
func TakesFrames(i *traffic.Item) bool { return i.Malformed == fault.WellFormed || i.Malformed.Alone() }

// Frames is the Encoding of an API other than realtime_events.
type Frames struct {
	Series []traffic.Series
	// Write appends the frames of an item, which happened at a time (unix ns) of the platform's clock.
	Write func(f *FrameBuffer, i *traffic.Item, at int64, t *fault.Trouble)
}

// Takes leaves out the malformed objects of the realtime events.
func (*Frames) Takes(i *traffic.Item) bool { return TakesFrames(i) }

// Encode writes the items that the API takes.
func (e *Frames) Encode(f *FrameBuffer, b *traffic.Batch, t *fault.Trouble) {
	for n := range b.Items {
		if i := &b.Items[n]; e.Takes(i) {
			e.Write(f, i, t.Stamp(e.Series[i.Event.Series].Region, b.Times[n]), t)
		}
	}
}
