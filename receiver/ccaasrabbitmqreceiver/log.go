// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/statestream"
)

const (
	// eventCredit is the number of chunks that the broker may send ahead.
	eventCredit = 2
	// firstChunkTimeout is the maximum time until the broker delivers a chunk that it has.
	firstChunkTimeout = 5 * time.Second
	// emptyTimeout is the time without a chunk after which a stream counts as empty.
	emptyTimeout = time.Second

	eventSubscription = 0
	endSubscription   = 1
)

// partitionLog is a claimed partition. It has connections of its own, so that its failures do not
// affect other partitions.
type partitionLog struct {
	config *Config
	number int32
	stream string
	state  *stateLog
	conn   *rabbitstream.Conn // to the events
	chunks chan *rabbitstream.Chunk
	ahead  *rabbitstream.Chunk // was read by Start, and is the next of Read
	next   int64               // offset of the next message
	owed   bool                // a chunk is consumed, and its credit is to be given

	mutex     sync.Mutex
	positions []statestream.Position // that were read and not saved, in order
	done      sync.WaitGroup
}

var _ partitioned.Log = (*partitionLog)(nil)

// claim claims a partition, and reads its state.
func (r *rabbitReceiver) claim(ctx context.Context, number int32, logger *zap.Logger) (partitioned.Log, error) {
	l := &partitionLog{
		config: r.config, number: number, stream: rabbitmq.StreamName(r.config.Stream, int(number)),
		chunks: make(chan *rabbitstream.Chunk, eventCredit),
	}
	var err error
	if l.conn, err = rabbitstream.DialLeader(ctx, r.options, l.stream); err != nil {
		return nil, fmt.Errorf("%w. The rabbitmq_stream exporter creates the streams when it starts to publish; check endpoint, virtual_host, stream and partitions", err)
	}
	if err = l.conn.NoPartition(ctx, rabbitmq.StreamName(r.config.Stream, r.config.Partitions)); err != nil {
		l.conn.Close()
		return nil, err
	}
	if l.state, err = openState(ctx, r.options, r.config.stateStream(number), r.config.GroupID, r.config.State); err != nil {
		l.conn.Close()
		return nil, err
	}
	l.done.Go(l.state.follow)
	logger.Info("Partition claimed", zap.Uint64("epoch", l.state.state.Epoch))
	return l, nil
}

// Close closes the connections.
func (l *partitionLog) Close() {
	l.conn.Close()
	l.state.conn.Close()
	l.done.Wait()
}

// String implements partitioned.Log.
func (l *partitionLog) String() string { return l.stream }

// Place implements partitioned.Log.
func (l *partitionLog) Place(key []byte) int { return rabbitmq.Partition(key, l.config.Partitions) }

// Get implements partitioned.Log.
func (l *partitionLog) Get(key string) []byte { return l.state.state.Values[key] }

// Restored does nothing: a complete checkpoint needs all values.
func (l *partitionLog) Restored() {}

// Save implements partitioned.Log.
func (l *partitionLog) Save(ctx context.Context, position int64, operations []*storage.Operation) error {
	c := &statestream.Checkpoint{Position: l.identity(position)}
	for _, operation := range operations {
		change := statestream.Change{Key: operation.Key}
		if operation.Type == storage.Set {
			if change.Value = operation.Value; change.Value == nil {
				change.Value = []byte{}
			}
		}
		c.Changes = append(c.Changes, change)
	}
	return l.state.save(ctx, c)
}

// maxPositions bounds the positions that are not saved.
const maxPositions = 100_000

// read records a position that Read returns.
func (l *partitionLog) read(p statestream.Position) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.positions) == maxPositions {
		l.positions = slices.Delete(l.positions, 1, maxPositions/2)
	}
	l.positions = append(l.positions, p)
}

// identity returns a position with the message before it. Those before are not needed any
// more.
func (l *partitionLog) identity(position int64) statestream.Position {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	n, found := slices.BinarySearchFunc(l.positions, position, func(p statestream.Position, next int64) int { return int(p.Next - next) })
	if !found {
		return statestream.Position{Next: position, Last: -1}
	}
	l.positions = slices.Delete(l.positions, 0, n)
	return l.positions[0]
}

func hash(message []byte) uint64 { return xxhash.Sum64(message) }

// Start returns where reading starts: at the position of the state, or that of the
// configuration.
func (l *partitionLog) Start(ctx context.Context) (partitioned.Start, error) {
	saved := l.state.state.Position
	start := partitioned.Start{Position: saved.Next, StateLost: l.state.lost}
	end, _, err := l.end(ctx)
	if err != nil {
		return start, err
	}
	start.End = end
	from := rabbitstream.First
	switch {
	case !l.state.state.Saved && l.config.InitialOffset == latest:
		start.Position, from = end, rabbitstream.At(end)
	case !l.state.state.Saved:
		start.Position = 0
	case saved.Last < 0:
		from = rabbitstream.At(saved.Next)
	default:
		from = rabbitstream.At(saved.Last)
	}
	if l.state.state.Saved && saved.Next > end {
		start.Position, from = end, rabbitstream.At(end)
		start.Lost, start.LossReason = saved.Next-end, "the stream ends before the saved position; it was created again, or its broker has lost messages"
	}
	l.next = start.Position
	l.read(statestream.Position{Next: start.Position, Last: -1})
	if err := l.subscribe(ctx, from); err != nil {
		return start, err
	}
	if !l.state.state.Saved || start.LossReason != "" || saved.Last < 0 {
		return start, nil
	}
	return l.verify(ctx, saved, start)
}

func (l *partitionLog) subscribe(ctx context.Context, from rabbitstream.Start) error {
	return l.conn.Subscribe(ctx, eventSubscription, l.stream, from, eventCredit, func(c *rabbitstream.Chunk) { l.chunks <- c })
}

// verify compares the last message before the saved position with that of the state.
func (l *partitionLog) verify(ctx context.Context, saved statestream.Position, start partitioned.Start) (partitioned.Start, error) {
	timer := time.NewTimer(firstChunkTimeout)
	defer timer.Stop()
	select {
	case l.ahead = <-l.chunks:
	case <-timer.C:
		return start, fmt.Errorf("%s: the broker does not deliver the message at offset %d", l.stream, saved.Last)
	case <-l.conn.Done():
		return start, l.conn.Err()
	case <-ctx.Done():
		return start, context.Cause(ctx)
	}
	first, same := int64(-1), false
	l.ahead.Messages(func(offset int64, message []byte, _ error) {
		if offset >= saved.Last && first < 0 {
			first, same = offset, offset == saved.Last && hash(message) == saved.Hash
		}
	})
	switch {
	case same:
		l.read(saved)
		return start, nil
	case first == saved.Last:
		// Its offsets are unrelated to those of the state.
		start.LossReason = "the stream was created again; its messages are read from the beginning"
		l.ahead, l.next, start.Position = nil, 0, 0
		if err := l.conn.Unsubscribe(ctx, eventSubscription); err != nil {
			return start, err
		}
		for len(l.chunks) > 0 {
			<-l.chunks
		}
		return start, l.subscribe(ctx, rabbitstream.First)
	default:
		l.next, start.Position, start.Lost = l.ahead.First, l.ahead.First, l.ahead.First-saved.Next
		start.LossReason = "the stream no longer holds them; increase its retention beyond the downtime of collectors"
		if start.Lost <= 0 { // nothing but the message that is in the state
			start.LossReason, start.Lost, start.Position, l.next = "", 0, saved.Next, saved.Next
		}
		return start, nil
	}
}

// Read implements partitioned.Log.
func (l *partitionLog) Read(ctx context.Context) (partitioned.Fetch, error) {
	for {
		if l.owed {
			l.owed = false
			if err := l.conn.Credit(eventSubscription, 1); err != nil {
				return partitioned.Fetch{}, err
			}
		}
		chunk := l.ahead
		l.ahead = nil
		if chunk == nil {
			select {
			case chunk = <-l.chunks:
			case <-l.conn.Done():
				return partitioned.Fetch{}, l.conn.Err()
			case <-l.state.conn.Done():
				return partitioned.Fetch{}, l.state.conn.Err()
			case <-l.state.fenced:
				return partitioned.Fetch{}, errFenced
			case <-ctx.Done():
				return partitioned.Fetch{}, context.Cause(ctx)
			}
		}
		l.owed = true
		if fetched := l.fetch(chunk); len(fetched.Messages) > 0 {
			return fetched, nil
		}
	}
}

// fetch returns the messages of a chunk that were not read yet.
func (l *partitionLog) fetch(chunk *rabbitstream.Chunk) (fetched partitioned.Fetch) {
	last := statestream.Position{Last: -1}
	chunk.Messages(func(offset int64, message []byte, err error) {
		if offset < l.next {
			return
		}
		data, dataErr := rabbitstream.Data(message)
		if err == nil {
			err = dataErr
		}
		if err != nil {
			data = message
		}
		last = statestream.Position{Last: offset, Hash: hash(message)}
		fetched.Messages = append(fetched.Messages, partitioned.Message{Offset: offset, Written: chunk.Written, Value: data, Err: err})
	})
	if len(fetched.Messages) > 0 {
		fetched.Next = max(chunk.Next(), l.next)
		last.Next, l.next = fetched.Next, fetched.Next
		l.read(last)
	}
	return fetched
}

// end returns the offset after the last message; known is false for a stream without
// messages.
func (l *partitionLog) end(ctx context.Context) (end int64, known bool, err error) {
	last := make(chan int64, 1)
	err = l.conn.Subscribe(ctx, endSubscription, l.stream, rabbitstream.Last, 1, func(c *rabbitstream.Chunk) {
		select {
		case last <- c.Next():
		default:
		}
	})
	if err != nil {
		return 0, false, err
	}
	timer := time.NewTimer(emptyTimeout)
	defer timer.Stop()
	select {
	case end = <-last:
		known = true
	case <-timer.C:
	case <-l.conn.Done():
		return 0, false, l.conn.Err()
	case <-ctx.Done():
		return 0, false, context.Cause(ctx)
	}
	return end, known, l.conn.Unsubscribe(ctx, endSubscription)
}
