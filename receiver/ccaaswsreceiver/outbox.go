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
	// maxBatchBytes is what fills a batch whose records are large.
	maxBatchBytes = 4 << 20
	// tellBackpressure is how long reading stands still before it is told.
	tellBackpressure = 100 * time.Millisecond
)

// batch is what the courier takes downstream.
type batch struct {
	logs  plog.Logs
	size  int       // records
	began time.Time // arrival of the first of them
	read  tally

	sightings []sighting // of its events; good until the next batch is taken
}

// tally counts what was read into a batch.
type tally struct {
	frames, bytes, events int64
	duplicates, ignored   int64
	violations            map[string]int64 // by reason; nil: none
	fieldErrors           map[string]int64 // by field; nil: none
}

// outbox stands between the reader of a socket, which puts records into it, and a
// courier, which takes them downstream in order. It holds one batch that is being
// filled, while the courier carries another. When both hands are full, putting
// blocks, and with it reading: nothing is dropped and nothing piles up.
//
// The lock is taken once per frame and once per batch, and never held while
// downstream works. Who stands still in the middle of a frame lets go of it for the
// courier alone: the decoder is not to be used for another frame meanwhile.
type outbox struct {
	limits BatchConfig
	decode api.Decode
	known  *duplicates
	told   func(*jsonevent.Violation) // of every violation, for the log
	born   time.Time

	mutex    sync.Mutex
	room     *sync.Cond // for those who put: the batch was taken, or it is another's turn
	work     *sync.Cond // for the courier: the batch is full or due, or the last
	timer    *time.Timer
	filled   *records
	sighted  [2][]sighting // of the events of this batch, and of the one that the courier has
	socket   int           // that the frame being put came from
	age      time.Duration // ours at its arrival, which no step of the clock changes
	began    time.Time     // of the batch
	read     tally
	standing bool // somebody waits for room in the middle of what it puts
	due      bool
	closed   bool

	unmatched unmatched

	blockedFrom time.Time           // since when somebody waits for room, or up to when that was counted
	countBlock  func(time.Duration) // is called with time in which somebody waited for room; may be nil

	filledFrom  atomic.Int64 // unix ns, arrival of the first record of the batch that is filled; 0: it is empty
	carriedFrom atomic.Int64 // of the batch that is being delivered; 0: there is none
}

func newOutbox(limits BatchConfig, decode api.Decode, known *duplicates, into *records, told func(*jsonevent.Violation)) *outbox {
	o := &outbox{limits: limits, decode: decode, known: known, filled: into, told: told, born: time.Now()}
	o.room = sync.NewCond(&o.mutex)
	o.work = sync.NewCond(&o.mutex)
	o.timer = time.AfterFunc(time.Hour, o.fallDue)
	o.timer.Stop() // until there is a record
	return o
}

// begin takes the lock, once whoever stands still has gone on.
func (o *outbox) begin(at time.Time) {
	o.mutex.Lock()
	for o.standing {
		o.room.Wait()
	}
	o.filled.arriving(at)
	o.age = at.Sub(o.born)
}

// frame puts what a frame of one of the sockets holds.
func (o *outbox) frame(text []byte, at time.Time, socket int) {
	o.begin(at)
	defer o.mutex.Unlock()
	o.socket = socket
	o.read.frames++
	o.read.bytes += int64(len(text))
	o.decode(text, at, (*sink)(o))
	if !o.unmatched.matched {
		o.unmatched.add(text, at)
	}
}

// violation puts a frame that cannot be decoded.
func (o *outbox) violation(v *jsonevent.Violation, at time.Time) {
	o.begin(at)
	defer o.mutex.Unlock()
	(*sink)(o).Violation(v)
}

// stream puts a record about the stream itself; fill completes it.
func (o *outbox) stream(name string, of stream, at time.Time, fill func(plog.LogRecord)) {
	o.begin(at)
	defer o.mutex.Unlock()
	o.makeRoom()
	fill(o.filled.stream(name, of.tenant, of.region, at))
	o.added()
}

// close says that nothing more will be put. What is there still goes downstream.
func (o *outbox) close() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.closed = true
	o.work.Signal()
}

// carry takes batches downstream until the last is there. Batches are due even
// while the reader waits for a frame.
func (o *outbox) carry(ctx context.Context, deliver func(context.Context, *batch)) {
	for b := o.next(); b != nil; b = o.next() {
		o.known.sift(b)
		deliver(ctx, b)
		o.carriedFrom.Store(0)
	}
}

// deliveredTo is the time up to which the records that were put are delivered: now,
// or the arrival of the first that is not.
func (o *outbox) deliveredTo(now time.Time) time.Time {
	filled := o.filledFrom.Load() // before the other: a batch moves from the one to the other
	for _, from := range []int64{filled, o.carriedFrom.Load()} {
		if from != 0 && from < now.UnixNano() {
			now = time.Unix(0, from)
		}
	}
	return now
}

// blocked counts the time in which somebody has waited for room, as long as that
// lasts, and gives what was read and not counted yet. The lock is held.
func (o *outbox) blocked(now time.Time) tally {
	o.countTo(now)
	read := o.read
	o.read = tally{}
	return read
}

func (o *outbox) countTo(now time.Time) {
	if o.blockedFrom.IsZero() {
		return
	}
	if o.countBlock != nil {
		o.countBlock(now.Sub(o.blockedFrom))
	}
	o.blockedFrom = now
}

func (o *outbox) fallDue() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.due = true
	o.work.Signal()
}

// next waits for a batch that is full or due; nil after the last.
func (o *outbox) next() *batch {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for {
		for !o.full() && !o.due && !o.closed {
			o.work.Wait()
		}
		o.due = false
		if o.filled.count > 0 {
			break
		}
		if o.closed {
			return nil
		}
	}
	o.timer.Stop()
	o.carriedFrom.Store(o.began.UnixNano())
	o.filledFrom.Store(0)
	b := &batch{size: o.filled.count, began: o.began, read: o.read, sightings: o.sighted[0]}
	b.logs, o.read = o.filled.take(), tally{}
	o.sighted = [2][]sighting{o.sighted[1][:0], o.sighted[0]}
	o.room.Broadcast()
	return b
}

func (o *outbox) full() bool {
	return o.filled.count >= o.limits.MaxEvents || o.filled.bytes() >= maxBatchBytes
}

// makeRoom waits until the batch can take another record, and tells how long
// reading stood still for it.
func (o *outbox) makeRoom() {
	if !o.full() {
		return
	}
	began := time.Now()
	o.standing, o.blockedFrom = true, began
	for o.full() {
		o.room.Wait()
	}
	o.standing = false
	o.room.Broadcast()
	now := time.Now()
	o.countTo(now)
	o.blockedFrom = time.Time{}
	stood := now.Sub(began)
	if stood >= tellBackpressure {
		o.filled.backpressure(stood, now)
		o.added()
	}
}

// added looks after the batch when it has got a record.
func (o *outbox) added() {
	if o.filled.count == 1 {
		o.began = o.filled.now.AsTime()
		o.filledFrom.Store(o.began.UnixNano())
		o.timer.Reset(o.limits.Timeout)
	}
	if o.full() {
		o.work.Signal()
	}
}

// sink is the side of the outbox that a decoder sees; the lock is held.
type sink outbox

// Event puts an event.
func (s *sink) Event(e *jsonevent.Event) {
	o := (*outbox)(s)
	o.makeRoom()
	to, rejected := o.filled.event(e)
	if rejected != nil {
		s.Violation(rejected)
		return
	}
	o.read.events++
	o.unmatched.matched = true
	if e.FieldErrors != 0 {
		o.read.countFieldErrors(e.FieldErrors)
	}
	if o.known != nil {
		o.sighted[0] = append(o.sighted[0], sightingOf(e, to, o.age, o.socket))
	}
	o.added()
}

func (t *tally) countFieldErrors(errors jsonevent.FieldErrors) {
	if t.fieldErrors == nil {
		t.fieldErrors = map[string]int64{}
	}
	for _, field := range errors.Names() {
		t.fieldErrors[field]++
	}
}

// Ignored counts what is no event of ours.
func (s *sink) Ignored() { s.read.ignored++ }

// Violation puts a violation.
func (s *sink) Violation(v *jsonevent.Violation) {
	o := (*outbox)(s)
	o.makeRoom()
	if o.read.violations == nil {
		o.read.violations = map[string]int64{}
	}
	o.read.violations[v.Reason]++
	o.filled.violation(v)
	o.added()
	o.told(v)
}
