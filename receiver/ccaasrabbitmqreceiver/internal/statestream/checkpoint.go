// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package statestream

import (
	"encoding/binary"
	"errors"
)

// Position is how far the events of the partition are in the state.
type Position struct {
	Next int64  // offset at which reading continues
	Last int64  // offset of the last message before; -1 for none
	Hash uint64 // of that message: a stream that is created again has another one there
}

// Change sets a key, or deletes it where the value is nil.
type Change struct {
	Key   string
	Value []byte
}

// Checkpoint is a set of changes and the position that they belong to.
type Checkpoint struct {
	Full     bool // the changes are all values; what is not in them is deleted
	Position Position
	Changes  []Change
}

var errCheckpoint = errors.New("is no checkpoint")

// Encode returns the content of the parts of a checkpoint.
func (c *Checkpoint) Encode() []byte {
	size := 64
	for _, change := range c.Changes {
		size += len(change.Key) + len(change.Value) + 2*binary.MaxVarintLen64
	}
	b := make([]byte, 0, size)
	full := byte(0)
	if c.Full {
		full = 1
	}
	b = append(b, full)
	b = binary.AppendVarint(b, c.Position.Next)
	b = binary.AppendVarint(b, c.Position.Last)
	b = binary.BigEndian.AppendUint64(b, c.Position.Hash)
	for _, change := range c.Changes {
		b = append(binary.AppendUvarint(b, uint64(len(change.Key))), change.Key...)
		if change.Value == nil {
			b = append(b, 0)
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(change.Value))+1), change.Value...)
	}
	return b
}

// DecodeCheckpoint reads the content of the parts of a checkpoint, which its values alias.
func DecodeCheckpoint(b []byte) (c Checkpoint, err error) {
	if len(b) < 1 {
		return c, errCheckpoint
	}
	c.Full = b[0] == 1
	b = b[1:]
	for _, n := range []*int64{&c.Position.Next, &c.Position.Last} {
		var size int
		if *n, size = binary.Varint(b); size <= 0 {
			return c, errCheckpoint
		}
		b = b[size:]
	}
	if len(b) < 8 {
		return c, errCheckpoint
	}
	c.Position.Hash = binary.BigEndian.Uint64(b)
	b = b[8:]
	take := func(minus uint64) []byte {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size)+minus {
			err, b = errCheckpoint, nil
			return nil
		}
		b = b[size:]
		if n < minus {
			return nil
		}
		value := b[: n-minus : n-minus]
		b = b[n-minus:]
		return value
	}
	for len(b) > 0 {
		change := Change{Key: string(take(0)), Value: take(1)}
		if err != nil {
			return c, err
		}
		c.Changes = append(c.Changes, change)
	}
	return c, nil
}
