// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// Version is the version of saved state that is written, OldestVersion the first that is
// read. It changes when an older collector must not read what this one writes; a new field
// is no reason.
const (
	OldestVersion = 1
	Version       = versionNumbered
)

// message encodes or decodes numbered fields in protobuf's wire format. One list of
// fields (see fields.go) serves both directions. A field with its zero value is not
// written, one that is missing is decoded as zero, and one with an unknown number is
// skipped, so that a field can be added at any time. A number is never reused.
type message struct {
	out     []byte
	reading bool
	in      []element
	err     error // of reading
}

// element is a field that was read.
type element struct {
	number protowire.Number
	kind   protowire.Type
	bits   uint64
	bytes  []byte
}

var errMalformed = errors.New("content is malformed")

// newMessage returns a message to write to. encode completes it.
func newMessage() *message { return &message{out: make([]byte, envelope.Size, 256)} }

func (m *message) encode() []byte { return envelope.Seal(m.out, Version) }

// readMessage decodes the fields of a message.
func readMessage(content []byte) (*message, error) {
	m := &message{reading: true}
	for len(content) > 0 {
		number, kind, n := protowire.ConsumeTag(content)
		if n < 0 {
			return nil, errMalformed
		}
		content = content[n:]
		e := element{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			e.bits, n = protowire.ConsumeVarint(content)
		case protowire.Fixed64Type:
			e.bits, n = protowire.ConsumeFixed64(content)
		case protowire.BytesType:
			e.bytes, n = protowire.ConsumeBytes(content)
		default:
			n = protowire.ConsumeFieldValue(number, kind, content)
		}
		if n < 0 {
			return nil, errMalformed
		}
		content = content[n:]
		m.in = append(m.in, e)
	}
	return m, nil
}

// find returns the last element of a number, as protobuf does, or a zero one.
func (m *message) find(number protowire.Number, kind protowire.Type) (found element) {
	for i := range m.in {
		if m.in[i].number == number && m.in[i].kind == kind {
			found = m.in[i]
		}
	}
	return found
}

func (m *message) uint(number protowire.Number, v *uint64) {
	switch {
	case m.reading:
		*v = m.find(number, protowire.VarintType).bits
	case *v != 0:
		m.out = protowire.AppendVarint(protowire.AppendTag(m.out, number, protowire.VarintType), *v)
	}
}

func (m *message) int(number protowire.Number, v *int64) {
	bits := protowire.EncodeZigZag(*v)
	m.uint(number, &bits)
	*v = protowire.DecodeZigZag(bits)
}

// count is an int that is never negative.
func (m *message) count(number protowire.Number, v *int64) {
	bits := uint64(max(0, *v)) //nolint:gosec // not negative
	m.uint(number, &bits)
	*v = int64(min(bits, math.MaxInt64)) //nolint:gosec // not larger
}

func (m *message) bool(number protowire.Number, v *bool) {
	var bits uint64
	if *v {
		bits = 1
	}
	m.uint(number, &bits)
	*v = bits != 0
}

func (m *message) float(number protowire.Number, v *float64) {
	switch {
	case m.reading:
		*v = math.Float64frombits(m.find(number, protowire.Fixed64Type).bits)
	case *v != 0:
		m.out = protowire.AppendFixed64(protowire.AppendTag(m.out, number, protowire.Fixed64Type), math.Float64bits(*v))
	}
}

func (m *message) string(number protowire.Number, v *string) {
	switch {
	case m.reading:
		*v = string(m.find(number, protowire.BytesType).bytes)
	case *v != "":
		m.out = protowire.AppendString(protowire.AppendTag(m.out, number, protowire.BytesType), *v)
	}
}

// bytes is not copied when it is read.
func (m *message) bytes(number protowire.Number, v *[]byte) {
	switch {
	case m.reading:
		*v = m.find(number, protowire.BytesType).bytes
	case len(*v) > 0:
		m.out = protowire.AppendBytes(protowire.AppendTag(m.out, number, protowire.BytesType), *v)
	}
}

// each writes n messages under a number, or reads those that there are. fields is
// called for each of them in order.
func (m *message) each(number protowire.Number, n int, fields func(i int, item *message)) {
	if !m.reading {
		item := &message{}
		for i := range n {
			item.out = item.out[:0]
			fields(i, item)
			m.out = protowire.AppendBytes(protowire.AppendTag(m.out, number, protowire.BytesType), item.out)
		}
		return
	}
	i := 0
	for _, e := range m.in {
		if e.number != number || e.kind != protowire.BytesType {
			continue
		}
		item, err := readMessage(e.bytes)
		if err == nil {
			fields(i, item)
			err = item.err
		}
		if err != nil {
			m.err = fmt.Errorf("field %d: %w", number, err)
			return
		}
		i++
	}
}

// one is a single message under a number. One without fields is not written.
func (m *message) one(number protowire.Number, fields func(item *message)) {
	if m.reading {
		item, err := readMessage(m.find(number, protowire.BytesType).bytes)
		if err != nil {
			m.err = fmt.Errorf("field %d: %w", number, err)
			return
		}
		fields(item)
		return
	}
	item := message{}
	if fields(&item); len(item.out) > 0 {
		m.bytes(number, &item.out)
	}
}
