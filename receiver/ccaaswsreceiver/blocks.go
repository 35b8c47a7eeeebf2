// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// Encodings of events.
const (
	encodingRecords = "records" // a log record of each event
	encodingBlocks  = "blocks"  // a log record of the events of a scope and batch
	encodingBoth    = "both"
)

// blockEventBytes is the approximate memory of an event in a block, without its texts.
const blockEventBytes = 48

// block collects the events of an event block. It is encoded once its batch has no
// duplicates, by the sender.
type block struct {
	events eventblock.Builder
	record plog.LogRecord // where it is in the batch; empty until it is encoded
	number int            // index in the batch
	first  int            // index of its first event, among those in blocks of its scope
}

// blockPool keeps the memory of blocks whose batch is encoded.
type blockPool struct {
	pool    sync.Pool
	scratch []byte // of the sender
}

func (p *blockPool) get() *block {
	if b, ok := p.pool.Get().(*block); ok {
		return b
	}
	return &block{}
}

func (p *blockPool) put(b *block) {
	b.events.Reset()
	b.record = plog.LogRecord{}
	p.pool.Put(b)
}

// addToBlock adds an event to the block of a scope. The scope has a new one after a record
// that is not an event.
func (r *records) addToBlock(to *scope, e *jsonevent.Event) place {
	if to.block == nil {
		b := r.spare.get()
		b.record, b.number, b.first = r.append(to), len(r.blocks), to.events
		to.block = b
		r.blocks = append(r.blocks, b)
	}
	added := eventblock.Event{
		Kind: eventblock.Kind(e.Type), Time: e.Time, Observed: int64(r.now), Channel: eventblock.Hash(e.ChannelID), //nolint:gosec // both are times of this century
		Sized: e.HasPayloadSize, Size: e.PayloadSize,
	}
	if !e.Type.Message() {
		r.describe(&added, e)
	}
	to.block.events.Add(&added)
	r.shared += blockEventBytes
	to.events++
	return place{scope: to, event: to.events - 1, block: to.block.number}
}

// describe adds what a block has of opens and closes.
func (r *records) describe(to *eventblock.Event, e *jsonevent.Event) {
	to.ChannelID, to.UserID = e.ChannelID, r.userID(e)
	r.shared += len(to.ChannelID) + len(to.UserID)
	if e.Type != jsonevent.ConnectionClose {
		return
	}
	to.HasCode, to.CloseCode = e.HasCloseCode, e.CloseCode
	to.CloseReason = r.closeReason(e)
	r.shared += len(to.CloseReason)
	if abnormal, known := r.reasons.abnormal(e); known {
		to.Class = eventblock.Normal
		if abnormal {
			to.Class = eventblock.Abnormal
		}
	}
}

// encode encodes the blocks of a batch, and removes those without events.
func (b *batch) encode() {
	empty := false
	for _, one := range b.blocks {
		if one.events.Len() > 0 {
			b.spare.scratch = wslog.PutBlock(one.record, &one.events, b.spare.scratch)
		} else {
			empty = true
		}
		b.spare.put(one)
	}
	b.blocks = nil
	if !empty {
		return
	}
	for _, resource := range b.logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			scope.LogRecords().RemoveIf(func(record plog.LogRecord) bool { return record.EventName() == "" })
		}
	}
	b.removeEmpty()
}

// removeFromBlocks removes events from the blocks of a batch. Keys of other events are
// ignored.
func (b *batch) removeFromBlocks(keys []eventKey) {
	slices.SortFunc(keys, func(a, b eventKey) int {
		return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(a.record, b.record))
	})
	for len(keys) > 0 {
		number := keys[0].block
		end := slices.IndexFunc(keys, func(k eventKey) bool { return k.block != number })
		if end < 0 {
			end = len(keys)
		}
		if number >= 0 {
			b.blocks[number].remove(keys[:end])
		}
		keys = keys[end:]
	}
}

// remove removes events by their keys, which are in order.
func (b *block) remove(keys []eventKey) {
	b.events.Remove(func(yield func(int) bool) {
		for i := range keys {
			if !yield(int(keys[i].record) - b.first) {
				return
			}
		}
	})
}
