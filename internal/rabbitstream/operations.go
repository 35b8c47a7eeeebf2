// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Arguments of Create.
const (
	ArgMaxBytes    = "max-length-bytes"
	ArgMaxAge      = "max-age"
	ArgSegmentSize = "stream-max-segment-size-bytes"
)

// Create creates a stream, unless it exists.
func (c *Conn) Create(ctx context.Context, stream string, arguments map[string]string) error {
	_, err := c.call(ctx, keyCreate, func(b []byte) []byte { return appendMap(appendString(b, stream), arguments) })
	if err != nil && !errors.Is(err, StreamExists) {
		return fmt.Errorf("creating stream %s: %w", stream, err)
	}
	return nil
}

// Delete deletes a stream.
func (c *Conn) Delete(ctx context.Context, stream string) error {
	_, err := c.call(ctx, keyDelete, func(b []byte) []byte { return appendString(b, stream) })
	return err
}

// Leader returns the address of the broker that leads a stream, host:port.
func (c *Conn) Leader(ctx context.Context, stream string) (string, error) {
	d, err := c.call(ctx, keyMetadata, func(b []byte) []byte {
		return appendString(binary.BigEndian.AppendUint32(b, 1), stream)
	})
	if err != nil {
		return "", err
	}
	brokers := map[uint16]string{}
	for range d.count(8) {
		reference := d.uint16()
		host := d.string()
		brokers[reference] = net.JoinHostPort(host, strconv.Itoa(int(d.uint32())))
	}
	if d.count(8) != 1 {
		return "", errTruncated
	}
	_ = d.string()
	if err := Code(d.uint16()).err(); err != nil {
		return "", fmt.Errorf("stream %s: %w", stream, err)
	}
	leader, found := brokers[d.uint16()]
	if !found {
		return "", fmt.Errorf("stream %s: %w", stream, StreamNotAvailable)
	}
	return leader, d.err
}

// NoPartition returns an error where a stream exists that would be one partition more than
// are configured. Partitions of another number have other events, and the rest of them no
// reader. What else keeps the broker from an answer shows with the partitions that are used.
func (c *Conn) NoPartition(ctx context.Context, stream string) error {
	if _, err := c.Leader(ctx, stream); err != nil && !errors.Is(err, StreamNotAvailable) {
		return nil //nolint:nilerr // see above
	}
	return fmt.Errorf("partitions: stream %s exists, so there are more than are configured: set the same number in all collectors, or delete the streams above it", stream)
}

// DialLeader connects to the broker that leads a stream: to options.Address first, and
// where that is another broker, to the address that the leader advertises.
func DialLeader(ctx context.Context, options Options, stream string) (*Conn, error) {
	c, err := Dial(ctx, options)
	if err != nil {
		return nil, err
	}
	leader, err := c.Leader(ctx, stream)
	if err == nil && leader == c.advertised {
		return c, nil
	}
	c.Close()
	if err != nil {
		return nil, err
	}
	options.Address = leader
	if c, err = Dial(ctx, options); err != nil {
		return nil, fmt.Errorf("leader of stream %s: %w", stream, err)
	}
	return c, nil
}

// DeclarePublisher makes the connection publish to a stream under an id. The reference
// names the publisher for deduplication, none where it is empty. confirmed is called with the
// publishing ids that the broker has written, or has not with a code.
func (c *Conn) DeclarePublisher(ctx context.Context, id uint8, reference, stream string, confirmed func(ids []uint64, err error)) error {
	c.mutex.Lock()
	c.confirms[id] = func(ids []uint64, code Code) { confirmed(ids, code.err()) }
	c.mutex.Unlock()
	_, err := c.call(ctx, keyDeclarePublisher, func(b []byte) []byte {
		return appendString(appendString(append(b, id), reference), stream)
	})
	if err != nil {
		return fmt.Errorf("stream %s: cannot publish: %w", stream, err)
	}
	return nil
}

// Sequence returns the last publishing id that the broker has of a reference, 0 for none.
func (c *Conn) Sequence(ctx context.Context, reference, stream string) (uint64, error) {
	d, err := c.call(ctx, keyQuerySequence, func(b []byte) []byte { return appendString(appendString(b, reference), stream) })
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	sequence := d.uint64()
	return sequence, d.err
}

// Entry is one published message. An entry with a publishing id that is not above the last
// one of its publisher is confirmed and not written.
type Entry struct {
	ID      uint64
	Content []byte // of AppendMessage or Compressed

	uncompressed int // size; 0 where it is not compressed
}

func (e *Entry) size() int {
	if e.uncompressed > 0 {
		return 8 + batchHeader + len(e.Content)
	}
	return publishedEntryHeader + len(e.Content)
}

func (e *Entry) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, e.ID)
	if e.uncompressed > 0 {
		b = binary.BigEndian.AppendUint16(append(b, batchBit|compressionZstd<<4), 1)
		b = binary.BigEndian.AppendUint32(b, uint32(e.uncompressed)) //nolint:gosec // bounded by the frame size
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Content))) //nolint:gosec // bounded by the frame size
	return append(b, e.Content...)
}

// Publish writes entries, in as few frames as possible. They are confirmed later.
func (c *Conn) Publish(publisher uint8, entries []Entry) error {
	for len(entries) > 0 {
		size, n := frameHeader+publishHeader, 0
		for n < len(entries) && (n == 0 || size+entries[n].size() <= c.frameMax) {
			size += entries[n].size()
			n++
		}
		if size > c.frameMax {
			return fmt.Errorf("message of %d bytes: the broker accepts at most %d; increase stream.frame_max", len(entries[0].Content), c.frameMax)
		}
		frame := append(make([]byte, 0, size), command(keyPublish)...)
		frame = binary.BigEndian.AppendUint32(append(frame, publisher), uint32(n)) //nolint:gosec // bounded by the frame size
		for i := range entries[:n] {
			frame = entries[i].appendTo(frame)
		}
		if err := c.write(frame); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// Start is where a subscription starts.
type Start struct {
	kind   uint16
	offset uint64
}

// Where a subscription starts: at the first chunk, at the last one, after it, or at the
// chunk that holds an offset. The broker uses the first chunk for an offset before it.
var (
	First = Start{kind: 1}
	Last  = Start{kind: 2}
	Next  = Start{kind: 3}
)

// At starts at the chunk that holds an offset.
func At(offset int64) Start { return Start{kind: 4, offset: uint64(offset)} } //nolint:gosec // not negative

// Subscribe reads a stream. The broker delivers as many chunks as it has credit for. use is
// called with each of them by one goroutine, and must not block.
func (c *Conn) Subscribe(ctx context.Context, id uint8, stream string, start Start, credit uint16, use func(*Chunk)) error {
	c.mutex.Lock()
	c.deliveries[id] = use
	c.mutex.Unlock()
	_, err := c.call(ctx, keySubscribe, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint16(appendString(append(b, id), stream), start.kind)
		if start.kind == 4 {
			b = binary.BigEndian.AppendUint64(b, start.offset)
		}
		return binary.BigEndian.AppendUint16(b, credit)
	})
	if err != nil {
		return fmt.Errorf("stream %s: cannot subscribe: %w", stream, err)
	}
	return nil
}

// Credit lets the broker deliver n more chunks.
func (c *Conn) Credit(id uint8, n uint16) error {
	return c.write(binary.BigEndian.AppendUint16(append(command(keyCredit), id), n))
}

// Unsubscribe ends a subscription.
func (c *Conn) Unsubscribe(ctx context.Context, id uint8) error {
	_, err := c.call(ctx, keyUnsubscribe, func(b []byte) []byte { return append(b, id) })
	c.mutex.Lock()
	delete(c.deliveries, id)
	c.mutex.Unlock()
	return err
}

// StoreOffset stores an offset of a reference in a stream. There is no confirmation.
func (c *Conn) StoreOffset(reference, stream string, offset int64) error {
	return c.write(binary.BigEndian.AppendUint64(appendString(appendString(command(keyStoreOffset), reference), stream), uint64(offset))) //nolint:gosec // not negative
}

// QueryOffset returns the stored offset of a reference in a stream; found is false where
// none is stored.
func (c *Conn) QueryOffset(ctx context.Context, reference, stream string) (offset int64, found bool, err error) {
	d, err := c.call(ctx, keyQueryOffset, func(b []byte) []byte { return appendString(appendString(b, reference), stream) })
	if errors.Is(err, NoOffset) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("stream %s: %w", stream, err)
	}
	return int64(d.uint64()), true, d.err //nolint:gosec // an offset
}
