// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

const (
	// maxBatchBytes is the size at which a batch is full whatever its number of records.
	maxBatchBytes = 4 << 20
	// minBackpressure is the shortest time without reading that has a record.
	minBackpressure = 100 * time.Millisecond
)

// batch is what the sender delivers.
type batch struct {
	logs    plog.Logs
	blocks  []*block // in logs, not encoded yet
	spare   *blockPool
	both    bool      // events in blocks have a record, too
	size    int       // records, and events that are only in blocks
	arrival time.Time // of the first of them
	read    tally
	keys    []eventKey // of its events; valid until the next batch is taken
}

// tally counts what was read into a batch.
type tally struct {
	frames, bytes, events int64
	duplicates, ignored   int64
	violations            map[string]int64 // by reason; nil: none
	fieldErrors           map[string]int64 // by field; nil: none
}

// batcher collects the records of one connection into batches, which a sender delivers in
// order. There are at most two: one is filled while the sender delivers the other. While
// both are full, writes block, which applies backpressure to the socket reader: nothing
// is dropped and nothing is queued.
//
// The batch that is filled has one owner at a time: a writer for the length of a frame,
// or the sender when the batch is due. A writer whose batch is full passes it to the
// sender and remains the owner of the next.
type batcher struct {
	limits BatchConfig
	mutex  sync.Mutex // held by the owner
	open   openBatch
	full   chan *batch   // from a writer to the sender
	ready  chan struct{} // the sender is to check the batch that is filled
	wanted atomic.Bool   // the sender waits for the owner's release
	closed chan struct{} // nothing more is written

	dedup   *deduplicator // nil: off
	blocked blockedTime   // of writers
	pending pending
}

// openBatch is the batch that is filled, and what its owner needs to fill it.
type openBatch struct {
	*batcher
	decode  api.Decode
	records *records
	streams *streams
	created time.Time

	arrival time.Time // of the first record
	due     time.Time // latest time of its delivery
	timer   *time.Timer
	read    tally
	keys    []eventKey // of its events
	spare   []eventKey // of the batch before: its memory is reused

	// The frame that is read.
	socket int
	at     time.Time // of its arrival

	reported   map[string]bool       // reasons of violations that were returned
	violations []jsonevent.Violation // of the frame, those whose reason is new
	unmatched  unmatched
}

func newBatcher(limits BatchConfig, decode api.Decode, dedup *deduplicator, into *records, streams *streams) *batcher {
	b := &batcher{
		limits: limits, dedup: dedup,
		full: make(chan *batch), ready: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	timer := time.AfterFunc(time.Hour, b.signal)
	timer.Stop() // until there is a record
	b.open = openBatch{
		batcher: b, decode: decode, records: into, streams: streams, created: time.Now(), timer: timer, reported: map[string]bool{},
	}
	return b
}

// frame adds the records of a frame. It returns the violations in it whose reason is new.
func (b *batcher) frame(text []byte, at time.Time, socket int) []jsonevent.Violation {
	o := b.acquire(at)
	defer o.release()
	o.socket = socket
	o.read.frames++
	o.read.bytes += int64(len(text))
	o.decode(text, at, o)
	if !o.unmatched.matched {
		o.unmatched.add(text, at)
	}
	return o.newViolations()
}

// violation adds the record of a frame that cannot be decoded.
func (b *batcher) violation(v *jsonevent.Violation, at time.Time) []jsonevent.Violation {
	o := b.acquire(at)
	defer o.release()
	o.Violation(v)
	return o.newViolations()
}

// inject adds records of events that are in no frame.
func (b *batcher) inject(at time.Time, events func(to jsonevent.Sink)) {
	o := b.acquire(at)
	defer o.release()
	events(o)
	o.newViolations() // they are records
}

// stream adds a record about the stream itself. Fill completes it.
func (b *batcher) stream(name string, of stream, at time.Time, fill func(plog.LogRecord)) {
	b.series(name, of, "", at, fill)
}

// series adds a record about a channel type of a stream; empty: about the stream.
func (b *batcher) series(name string, of stream, channelType string, at time.Time, fill func(plog.LogRecord)) {
	o := b.acquire(at)
	defer o.release()
	o.makeRoom()
	fill(o.records.stream(name, of.tenant, of.region, channelType, at))
	o.added()
}

// close ends the batcher after the last write. The sender delivers what is left.
func (b *batcher) close() { close(b.closed) }

// run delivers batches until the batcher is closed and empty.
func (b *batcher) run(ctx context.Context, deliver func(context.Context, *batch)) {
	for one := b.next(); one != nil; one = b.next() {
		b.dedup.removeDuplicates(one)
		one.encode()
		deliver(ctx, one)
		b.pending.remove()
	}
}

// next waits for a batch that is full or due; nil after the last.
func (b *batcher) next() *batch {
	for {
		select {
		case one := <-b.full:
			return one
		case <-b.ready:
			if one := b.takeReady(); one != nil {
				return one
			}
		case <-b.closed:
			o := b.lock()
			defer o.release()
			if o.records.count == 0 {
				return nil
			}
			return o.take()
		}
	}
}

// takeReady returns the batch that is filled if it is full or due. While a writer owns
// it, it returns nil, and the writer signals the sender at its release.
func (b *batcher) takeReady() *batch {
	b.wanted.Store(true)
	if !b.mutex.TryLock() {
		return nil
	}
	b.wanted.Store(false)
	o := &b.open
	defer o.release()
	if o.isFull() || o.isDue() {
		return o.take()
	}
	return nil
}

// signal makes the sender check the batch that is filled.
func (b *batcher) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// deliveredTo returns the time up to which all records are delivered: now, or the arrival
// of the first that is not.
func (b *batcher) deliveredTo(now time.Time) time.Time { return b.pending.first(now) }

// uncounted returns what was read and not counted yet, without waiting for a writer.
// If no event was read for long enough to log a warning, it returns the frames.
func (b *batcher) uncounted(now time.Time) (read tally, warning *unmatched) {
	if !b.mutex.TryLock() {
		return tally{}, nil // the next call returns it
	}
	o := &b.open
	defer o.release()
	read, o.read = o.read, tally{}
	if o.unmatched.due(now) {
		soFar := o.unmatched
		warning = &soFar
	}
	return read, warning
}

func (b *batcher) acquire(at time.Time) *openBatch {
	o := b.lock()
	o.at = at
	o.records.arriving(at)
	return o
}

func (b *batcher) lock() *openBatch {
	b.mutex.Lock()
	return &b.open
}

func (o *openBatch) release() {
	o.mutex.Unlock()
	if o.wanted.Load() {
		o.wanted.Store(false)
		o.signal()
	}
}

func (o *openBatch) isFull() bool {
	return o.records.count >= o.limits.MaxEvents || o.records.bytes() >= maxBatchBytes
}

func (o *openBatch) isDue() bool {
	return o.records.count > 0 && time.Until(o.due) <= 0
}

// take returns the batch and starts the next.
func (o *openBatch) take() *batch {
	o.timer.Stop()
	one := &batch{
		size: o.records.count, arrival: o.arrival, read: o.read, keys: o.keys,
		blocks: o.records.blocks, spare: o.records.spare, both: o.records.set.encoding == encodingBoth,
	}
	one.logs, o.read = o.records.take(), tally{}
	o.keys, o.spare = o.spare[:0], o.keys
	return one
}

// makeRoom passes a full batch to the sender, so that the next record has room. It waits
// while the sender delivers another, and adds a record of a wait that is long.
func (o *openBatch) makeRoom() {
	if !o.isFull() {
		return
	}
	one := o.take()
	select {
	case o.full <- one:
		return
	default:
	}
	o.blocked.begin(time.Now())
	o.full <- one
	now := time.Now()
	if waited := o.blocked.end(now); waited >= minBackpressure {
		o.records.backpressure(waited, now)
		o.added()
	}
}

// added schedules the batch after a record was added.
func (o *openBatch) added() {
	if o.records.count == 1 {
		o.arrival, o.due = o.at, time.Now().Add(o.limits.Timeout)
		o.pending.add(o.arrival)
		o.timer.Reset(o.limits.Timeout)
	}
	if o.isFull() {
		o.signal()
	}
}

var _ jsonevent.Sink = (*openBatch)(nil)

// Event adds the record of an event.
func (o *openBatch) Event(e *jsonevent.Event) {
	o.makeRoom()
	at, rejected := o.records.event(e)
	if rejected != nil {
		o.Violation(rejected)
		return
	}
	if at.first {
		o.streams.observe(stream{tenant: at.scope.series.tenant, region: at.scope.series.region}, o.records.now.AsTime())
	}
	o.read.events++
	o.unmatched.matched = true
	if e.FieldErrors != 0 {
		o.read.countFieldErrors(e.FieldErrors)
	}
	if o.dedup != nil {
		o.keys = append(o.keys, newEventKey(e, at, o.at.Sub(o.created), o.socket))
	}
	o.added()
}

// Ignored counts an object that is not an event of the contract.
func (o *openBatch) Ignored() { o.read.ignored++ }

// Violation adds the record of a violation.
func (o *openBatch) Violation(v *jsonevent.Violation) {
	o.makeRoom()
	o.read.countViolation(v.Reason)
	o.records.violation(v)
	o.added()
	if !o.reported[v.Reason] {
		o.reported[v.Reason] = true
		o.violations = append(o.violations, jsonevent.Violation{Reason: v.Reason, Detail: v.Detail})
	}
}

func (o *openBatch) newViolations() []jsonevent.Violation {
	found := o.violations
	o.violations = nil
	return found
}

func (t *tally) countViolation(reason string) {
	if t.violations == nil {
		t.violations = map[string]int64{}
	}
	t.violations[reason]++
}

func (t *tally) countFieldErrors(errors jsonevent.FieldErrors) {
	if t.fieldErrors == nil {
		t.fieldErrors = map[string]int64{}
	}
	for _, field := range errors.Names() {
		t.fieldErrors[field]++
	}
}

// blockedTime is the time in which writers were blocked.
type blockedTime struct {
	mutex     sync.Mutex
	began     time.Time // zero: none is blocked
	counted   time.Time // up to which the present block is counted
	uncounted time.Duration
}

func (b *blockedTime) begin(now time.Time) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.began, b.counted = now, now
}

// end returns the length of the block.
func (b *blockedTime) end(now time.Time) time.Duration {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	length := now.Sub(b.began)
	b.uncounted += now.Sub(b.counted)
	b.began = time.Time{}
	return length
}

// take returns the time since the last call, a block that lasts included.
func (b *blockedTime) take(now time.Time) time.Duration {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if !b.began.IsZero() {
		b.uncounted += now.Sub(b.counted)
		b.counted = now
	}
	taken := b.uncounted
	b.uncounted = 0
	return taken
}

// pending is the arrival of the first record of each batch that is not delivered, in
// order. There are at most two.
type pending struct {
	mutex    sync.Mutex
	arrivals []time.Time
}

func (p *pending) add(arrival time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.arrivals = append(p.arrivals, arrival)
}

func (p *pending) remove() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.arrivals = append(p.arrivals[:0], p.arrivals[1:]...)
}

// first returns the earlier of now and the first arrival.
func (p *pending) first(now time.Time) time.Time {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, arrival := range p.arrivals {
		if arrival.Before(now) {
			now = arrival
		}
	}
	return now
}
