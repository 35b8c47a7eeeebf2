// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package request holds the messages of a batch with their publishing ids, until the
// broker has confirmed them.
package request

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// Request is a batch. The messages of a part have consecutive publishing ids.
type Request struct {
	Hash  uint64 // of its messages: the same batch has the same
	Parts []Part
}

// Part is what goes to one partition.
type Part struct {
	Partition int
	First     uint64 // publishing id of the first message
	Messages  [][]byte
}

// Last is the publishing id of the last message.
func (p *Part) Last() uint64 { return p.First + uint64(len(p.Messages)) - 1 }

// Add adds a message to the part of its partition.
func (r *Request) Add(partition int, message []byte) {
	for i := range r.Parts {
		if r.Parts[i].Partition == partition {
			r.Parts[i].Messages = append(r.Parts[i].Messages, message)
			return
		}
	}
	r.Parts = append(r.Parts, Part{Partition: partition, Messages: [][]byte{message}})
}

// SetHash sets the hash when all messages are added.
func (r *Request) SetHash() {
	digest := xxhash.New()
	var number [binary.MaxVarintLen64]byte
	for _, part := range r.Parts {
		for _, message := range part.Messages {
			n := binary.PutUvarint(number[:], uint64(len(message)))
			_, _ = digest.Write(number[:n])
			_, _ = digest.Write(message)
		}
	}
	r.Hash = digest.Sum64()
}

const version = 1

// ErrDamaged is the error of an encoded request whose content is not one.
var ErrDamaged = errors.New("is no request")

// Encode returns a request as it is stored, with a version and a checksum, and beside it
// the hashes of requests that are confirmed.
func (r *Request) Encode(confirmed []uint64) []byte {
	size := envelope.Size + 16 + 8*len(confirmed)
	for _, part := range r.Parts {
		for _, message := range part.Messages {
			size += len(message) + 2*binary.MaxVarintLen64
		}
	}
	b := make([]byte, envelope.Size, size)
	b = binary.AppendUvarint(b, uint64(len(confirmed)))
	for _, hash := range confirmed {
		b = binary.BigEndian.AppendUint64(b, hash)
	}
	b = binary.BigEndian.AppendUint64(b, r.Hash)
	for _, part := range r.Parts {
		b = binary.AppendUvarint(b, uint64(part.Partition)) //nolint:gosec // small
		b = binary.AppendUvarint(b, part.First)
		b = binary.AppendUvarint(b, uint64(len(part.Messages)))
		for _, message := range part.Messages {
			b = append(binary.AppendUvarint(b, uint64(len(message))), message...)
		}
	}
	return envelope.Seal(b, version)
}

// Decode reads what Encode has stored. The messages alias value.
func Decode(value []byte) (r *Request, confirmed []uint64, err error) {
	_, rest, err := envelope.Decode(value, version, version)
	if err != nil {
		return nil, nil, err
	}
	count, size := binary.Uvarint(rest)
	if size <= 0 || count > uint64(len(rest)/8) || len(rest) < size+int(count)*8+8 {
		return nil, nil, ErrDamaged
	}
	rest = rest[size:]
	for range count {
		confirmed = append(confirmed, binary.BigEndian.Uint64(rest))
		rest = rest[8:]
	}
	r = &Request{Hash: binary.BigEndian.Uint64(rest)}
	rest = rest[8:]
	number := func() uint64 {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			err, rest = ErrDamaged, nil
			return 0
		}
		rest = rest[size:]
		return n
	}
	for len(rest) > 0 && err == nil {
		part := Part{Partition: int(number()), First: number()} //nolint:gosec // checked by the caller
		for count := number(); count > 0 && err == nil; count-- {
			size := number()
			if size > uint64(len(rest)) {
				return nil, nil, ErrDamaged
			}
			part.Messages = append(part.Messages, rest[:size])
			rest = rest[size:]
		}
		r.Parts = append(r.Parts, part)
	}
	if err != nil {
		return nil, nil, err
	}
	return r, confirmed, nil
}
