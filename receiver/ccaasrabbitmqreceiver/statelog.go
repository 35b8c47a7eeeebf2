// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/statestream"
)

const (
	// minStateBytes is the minimum size of a state stream.
	minStateBytes = 32 << 20
	// saveTimeout bounds a checkpoint, from its publication until it is read back.
	saveTimeout = 15 * time.Second
	// restoreTimeout bounds the wait for more of the state.
	restoreTimeout = 30 * time.Second
	// stateCredit is the number of chunks that the broker may send ahead.
	stateCredit = 4
)

// errFenced is the error of a partition whose state another collector has claimed.
var errFenced = errors.New("another collector has claimed the partition")

// Shares of the size of a state stream. The broker deletes segments, the oldest first, when
// the stream exceeds its size. A complete checkpoint is written long before that: what is
// behind the latest complete one is at most 1/8 (that checkpoint) + 1/8 (until the next one is due) +
// 2/8 (a checkpoint of changes, and the next complete one) + segments of 1/16 in between.
func segmentBytes(size int64) int64  { return size / 16 }
func maxValues(size int64) int64     { return size / 8 }
func completeAfter(size int64) int64 { return size / 8 }

// stateLog is the state of a partition, which this collector has claimed.
//
// Whether a checkpoint is saved is read from the stream itself, since the confirmation of the broker does
// not say whether another collector has claimed the stream before: a checkpoint is saved when
// it is read back with no claim of another one before its end.
type stateLog struct {
	conn   *rabbitstream.Conn
	stream string
	size   int64 // of the stream, at most
	name   string
	writer statestream.Writer
	chunks chan *rabbitstream.Chunk

	state  statestream.State
	lost   bool   // part of the state is lost
	number uint64 // of the next checkpoint
	since  int64  // bytes since the latest complete checkpoint
	hint   int64  // offset of that checkpoint, where a successor begins to read
	hints  int    // how often it is still to be stored

	mutex    sync.Mutex
	readBack uint64        // number of checkpoints that were read back
	at       int64         // offset of the first part of the latest of them
	first    int64         // that of the one in progress
	progress chan struct{} // has room for one
	fenced   chan struct{} // closed when another collector has claimed the stream
}

// openState claims the state of a partition and reads it.
func openState(ctx context.Context, options rabbitstream.Options, stream, name string, config StateConfig) (*stateLog, error) {
	conn, err := rabbitstream.DialLeader(ctx, options, stream)
	if errors.Is(err, rabbitstream.NoSuchStream) && config.Create {
		if err = createState(ctx, options, stream, config.MaxBytes); err == nil {
			conn, err = rabbitstream.DialLeader(ctx, options, stream)
		}
	}
	if errors.Is(err, rabbitstream.NoSuchStream) {
		err = fmt.Errorf("%w; create it, or set state::create: true", err)
	}
	if err != nil {
		return nil, err
	}
	l := &stateLog{
		conn: conn, stream: stream, size: config.MaxBytes, name: name,
		chunks: make(chan *rabbitstream.Chunk, stateCredit), progress: make(chan struct{}, 1), fenced: make(chan struct{}),
	}
	_, _ = rand.Read(l.writer[:]) // it never fails
	if err := l.claim(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("claiming %s: %w", stream, err)
	}
	return l, nil
}

func createState(ctx context.Context, options rabbitstream.Options, stream string, size int64) error {
	conn, err := rabbitstream.Dial(ctx, options)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Create(ctx, stream, map[string]string{
		rabbitstream.ArgMaxBytes:    strconv.FormatInt(size, 10),
		rabbitstream.ArgSegmentSize: strconv.FormatInt(segmentBytes(size), 10),
	})
}

// Numbers of the publisher and of the subscription on the connection.
const (
	statePublisher    = 0
	stateSubscription = 0
)

// claim writes a claim, and reads the state up to it.
func (l *stateLog) claim(ctx context.Context) error {
	if err := l.conn.DeclarePublisher(ctx, statePublisher, "", l.stream, func([]uint64, error) {}); err != nil {
		return err
	}
	var found bool
	var err error
	l.hint, found, err = l.conn.QueryOffset(ctx, l.name, l.stream)
	if err != nil {
		return err
	}
	start := rabbitstream.First
	if found {
		start = rabbitstream.At(l.hint)
	}
	if err := l.publish(&statestream.Record{Claim: true, Writer: l.writer}); err != nil {
		return err
	}
	if err := l.conn.Subscribe(ctx, stateSubscription, l.stream, start, stateCredit, func(c *rabbitstream.Chunk) { l.chunks <- c }); err != nil {
		return err
	}
	for expected := found; ; expected = false {
		chunk, err := l.next(ctx, restoreTimeout)
		if err != nil {
			return err
		}
		if expected && chunk.First > l.hint {
			l.lost = true
		}
		if l.restore(chunk, l.hint) {
			return nil
		}
	}
}

// next returns the next chunk.
func (l *stateLog) next(ctx context.Context, timeout time.Duration) (*rabbitstream.Chunk, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case chunk := <-l.chunks:
		return chunk, l.conn.Credit(stateSubscription, 1)
	case <-l.conn.Done():
		return nil, l.conn.Err()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, fmt.Errorf("the claim was not written within %v: an alarm of the broker blocks publishers while its disk or memory is full (rabbitmq-diagnostics alarms)", timeout)
	}
}

// restore adds the records of a chunk to the state, and reports whether the own claim was
// among them. What comes after it is that of another collector.
func (l *stateLog) restore(chunk *rabbitstream.Chunk, from int64) (claimed bool) {
	chunk.Messages(func(offset int64, message []byte, err error) {
		if offset < from {
			return
		}
		data, dataErr := rabbitstream.Data(message)
		if err != nil || dataErr != nil {
			l.state.Damaged++
			return
		}
		l.since += int64(len(data))
		if claimed {
			l.observe(offset, data)
			return
		}
		l.state.Add(data)
		claimed = l.state.Owner == l.writer
	})
	return claimed
}

// follow reads what is written after the claim, until the connection ends.
func (l *stateLog) follow() {
	for {
		select {
		case chunk := <-l.chunks:
			chunk.Messages(func(offset int64, message []byte, err error) {
				if data, dataErr := rabbitstream.Data(message); err == nil && dataErr == nil {
					l.observe(offset, data)
				}
			})
			_ = l.conn.Credit(stateSubscription, 1) // an error ends the connection
		case <-l.conn.Done():
			return
		}
	}
}

// observe handles a record after the claim.
func (l *stateLog) observe(offset int64, data []byte) {
	r, err := statestream.Decode(data)
	if err != nil {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	select {
	case <-l.fenced:
		return
	default:
	}
	switch {
	case r.Claim && r.Writer != l.writer:
		close(l.fenced)
		return
	case r.Claim || r.Writer != l.writer:
		return
	case r.Part == 0:
		l.first = offset
	}
	if r.Part == r.Parts-1 {
		l.readBack, l.at = r.Checkpoint+1, l.first
		select {
		case l.progress <- struct{}{}:
		default:
		}
	}
}

func (l *stateLog) publish(records ...*statestream.Record) error {
	entries := make([]rabbitstream.Entry, len(records))
	for i, r := range records {
		entries[i].Content = rabbitstream.AppendMessage(nil, r.Encode())
	}
	return l.conn.Publish(statePublisher, entries)
}

// save writes a checkpoint, and waits until it is read back.
func (l *stateLog) save(ctx context.Context, c *statestream.Checkpoint) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	l.state.Apply(c)
	if size := int64(l.state.Size()); size > maxValues(l.size) {
		return fmt.Errorf("the state has %d bytes, and its stream %s holds at most %d: increase state::max_bytes, and max-length-bytes of the stream by a policy", size, l.stream, maxValues(l.size))
	}
	if l.since >= completeAfter(l.size) {
		c = l.state.Full()
	}
	content := c.Encode()
	records := statestream.Split(l.writer, l.state.Epoch, l.number, content)
	l.number++
	for i := range records {
		if err := l.publish(&records[i]); err != nil {
			return err
		}
	}
	at, err := l.await(ctx, l.number)
	if err != nil {
		return err
	}
	l.since += int64(len(content))
	if c.Full {
		l.since, l.hint, l.hints = int64(len(content)), at, hintRepeats
	}
	if l.hints == 0 {
		return nil
	}
	l.hints--
	return l.conn.StoreOffset(l.name, l.stream, l.hint)
}

// hintRepeats is how often the offset of a complete checkpoint is stored. The broker does not confirm it.
const hintRepeats = 3

// await waits until a number of checkpoints is read back, and returns the offset of the last
// one.
func (l *stateLog) await(ctx context.Context, number uint64) (at int64, err error) {
	for {
		l.mutex.Lock()
		done, at := l.readBack >= number, l.at
		l.mutex.Unlock()
		if done {
			return at, nil
		}
		select {
		case <-l.progress:
		case <-l.fenced:
			return 0, errFenced
		case <-l.conn.Done():
			return 0, l.conn.Err()
		case <-ctx.Done():
			return 0, fmt.Errorf("not written within %v: %w. An alarm of the broker blocks publishers while its disk or memory is full (rabbitmq-diagnostics alarms)",
				saveTimeout, context.Cause(ctx))
		}
	}
}
