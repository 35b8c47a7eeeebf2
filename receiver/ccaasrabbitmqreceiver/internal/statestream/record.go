// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package statestream stores values in an append-only stream that several writers can
// append to, of which one owns it.
//
// A writer claims the stream by a record. From there on, only the records of that writer
// count, until another one claims it: the order of the stream is the same for everybody, so
// everybody agrees on the owner at each record. A checkpoint is cut into parts, and counts when its
// last part is written while its writer is the owner. So a checkpoint is atomic, and that
// of a stale owner has no effect.
package statestream

import (
	"encoding/binary"
	"errors"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// PartSize is the maximum size of the content of a part in bytes, well below the frame size
// of brokers, 1 MiB.
const PartSize = 512 << 10

// Writer identifies a writer. Each claim has another one.
type Writer [16]byte

// Record is a record of the stream: a claim, or one part of a checkpoint.
type Record struct {
	Claim      bool
	Writer     Writer
	Epoch      uint64 // number of claims up to that of the writer; 0 in a claim
	Checkpoint uint64 // its number, counted by the writer
	Part       uint64
	Parts      uint64
	Content    []byte
}

const (
	version = 1

	kindClaim = 1
	kindPart  = 2
)

var errRecord = errors.New("is no record of a state stream")

// Encode returns a record with a version and a checksum.
func (r *Record) Encode() []byte {
	b := make([]byte, envelope.Size, envelope.Size+1+len(r.Writer)+4*binary.MaxVarintLen64+len(r.Content))
	kind := byte(kindPart)
	if r.Claim {
		kind = kindClaim
	}
	b = append(append(b, kind), r.Writer[:]...)
	for _, n := range []uint64{r.Epoch, r.Checkpoint, r.Part, r.Parts} {
		b = binary.AppendUvarint(b, n)
	}
	return envelope.Seal(append(b, r.Content...), version)
}

// Decode reads a record, whose content aliases value.
func Decode(value []byte) (r Record, err error) {
	_, rest, err := envelope.Decode(value, version, version)
	if err != nil {
		return r, err
	}
	if len(rest) < 1+len(r.Writer) || rest[0] != kindClaim && rest[0] != kindPart {
		return r, errRecord
	}
	r.Claim = rest[0] == kindClaim
	copy(r.Writer[:], rest[1:])
	rest = rest[1+len(r.Writer):]
	for _, n := range []*uint64{&r.Epoch, &r.Checkpoint, &r.Part, &r.Parts} {
		var size int
		if *n, size = binary.Uvarint(rest); size <= 0 {
			return r, errRecord
		}
		rest = rest[size:]
	}
	if !r.Claim && r.Part >= r.Parts {
		return r, errRecord
	}
	r.Content = rest
	return r, nil
}

// Split returns the records of a checkpoint.
func Split(writer Writer, epoch, checkpoint uint64, content []byte) []Record {
	return split(writer, epoch, checkpoint, content, PartSize)
}

func split(writer Writer, epoch, checkpoint uint64, content []byte, size int) []Record {
	parts := max(1, (len(content)+size-1)/size)
	records := make([]Record, parts)
	for i := range records {
		records[i] = Record{
			Writer: writer, Epoch: epoch, Checkpoint: checkpoint, Part: uint64(i), Parts: uint64(parts), //nolint:gosec // not negative
			Content: content[i*size : min(len(content), (i+1)*size)],
		}
	}
	return records
}
