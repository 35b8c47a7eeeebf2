// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlpscan bounds what the body of a request decodes to, before it is decoded. A message of
// two bytes takes a hundred when it is decoded, and decoders recurse as deep as messages are nested.
// A scan is linear in the body and allocates nothing that grows with it.
package otlpscan

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Limits bound one request. Depth counts messages, the request itself included; attributes are those of
// one resource, scope, record, point, exemplar, span, event or link.
type Limits struct {
	Messages   int
	Depth      int
	Attributes int
}

// LimitError is the error of a request that exceeds a limit: messages, depth or attributes.
type LimitError struct {
	Limit string
	Max   int
}

// Error implements error.
func (e *LimitError) Error() string {
	switch e.Limit {
	case "depth":
		return fmt.Sprintf("messages are nested deeper than %d", e.Max)
	case "attributes":
		return fmt.Sprintf("more than %d attributes of one resource, scope, record, point, exemplar or span", e.Max)
	}
	return fmt.Sprintf("more than %d %s in one request", e.Max, e.Limit)
}

// ErrMalformed is the error of a body that is not well-formed. Decoders that accept it could see other
// messages in it than the scan did.
var ErrMalformed = errors.New("the body is not well-formed")

// Size is what a request decodes to.
type Size struct {
	Messages int
	Bytes    int // of memory, estimated from above: the structures of the messages, without their text
}

// Message describes the fields of a message that decoders allocate for.
type Message struct {
	fields map[protowire.Number]*Message
	bytes  int  // that a decoded one takes at most
	factor int  // bytes for each byte of it, as in packed numbers
	merges bool // decoders merge several of it into one
}

const (
	attributeBytes = 64  // a KeyValue, an AnyValue with its wrapper, a string
	messageBytes   = 256 // any other message, with the pointer to it
)

func message(of map[protowire.Number]*Message) *Message {
	return &Message{fields: of, bytes: messageBytes}
}

func merged(of map[protowire.Number]*Message) *Message {
	return &Message{fields: of, bytes: messageBytes, merges: true}
}

var (
	value    = &Message{bytes: attributeBytes}
	keyValue = &Message{bytes: attributeBytes, fields: map[protowire.Number]*Message{2: value}}
	list     = &Message{bytes: attributeBytes, fields: map[protowire.Number]*Message{1: keyValue}}
	text     = &Message{bytes: attributeBytes}
	leaf     = message(nil)
	packed   = &Message{factor: 16} // 8 bytes for each, in a slice that grows
	buckets  = message(map[protowire.Number]*Message{2: packed})
	exemplar = message(map[protowire.Number]*Message{7: keyValue})
	entity   = message(map[protowire.Number]*Message{3: text, 4: text})
	resource = merged(map[protowire.Number]*Message{1: keyValue, 3: entity})
	scope    = merged(map[protowire.Number]*Message{3: keyValue})
)

// request describes an export request of OTLP, of which all signals are alike down to the record.
func request(record *Message) *Message {
	ofScope := message(map[protowire.Number]*Message{1: scope, 2: record})
	return message(map[protowire.Number]*Message{1: message(map[protowire.Number]*Message{
		1: resource, 2: ofScope,
		1000: ofScope, // deprecated, and still decoded
	})})
}

func points(of map[protowire.Number]*Message) *Message {
	return message(map[protowire.Number]*Message{1: message(of)})
}

// Requests that can be scanned.
var (
	Logs    = request(message(map[protowire.Number]*Message{5: value, 6: keyValue}))
	Metrics = request(message(map[protowire.Number]*Message{
		5:  points(map[protowire.Number]*Message{7: keyValue, 5: exemplar}),
		7:  points(map[protowire.Number]*Message{7: keyValue, 5: exemplar}),
		9:  points(map[protowire.Number]*Message{9: keyValue, 8: exemplar}),
		10: points(map[protowire.Number]*Message{1: keyValue, 8: buckets, 9: buckets, 11: exemplar}),
		11: points(map[protowire.Number]*Message{7: keyValue, 6: leaf}),
		12: keyValue,
	}))
	Traces = request(message(map[protowire.Number]*Message{
		9:  keyValue,
		11: message(map[protowire.Number]*Message{3: keyValue}), // event
		13: message(map[protowire.Number]*Message{4: keyValue}), // link
		15: leaf,
	}))
	RemoteWrite = message(map[protowire.Number]*Message{
		1: message(map[protowire.Number]*Message{
			1: text, 2: leaf, 3: message(map[protowire.Number]*Message{1: text}), 4: message(map[protowire.Number]*Message{8: leaf, 11: leaf}),
		}),
		3: leaf,
	})
)

func init() { //nolint:gochecknoinits // a value may hold values
	value.fields = map[protowire.Number]*Message{
		5: {bytes: attributeBytes, fields: map[protowire.Number]*Message{1: value}},
		6: list,
	}
}

// Protobuf scans a body. The error is a *LimitError or ErrMalformed.
func Protobuf(body []byte, of *Message, limits Limits) (Size, error) {
	s := scanner{limits: limits}
	err := s.scan(body, of, 1, new(int))
	return s.size, err
}

type scanner struct {
	limits Limits
	size   Size
}

// add counts a message, of length bytes in the body.
func (s *scanner) add(bytes, factor, length int) error {
	s.size.Messages++
	s.size.Bytes += bytes + factor*length
	if s.size.Messages > s.limits.Messages {
		return &LimitError{Limit: "messages", Max: s.limits.Messages}
	}
	return nil
}

// scan counts what is in a message at some depth, and adds its attributes to those of its other parts.
func (s *scanner) scan(body []byte, of *Message, depth int, attributes *int) error {
	if depth > s.limits.Depth {
		return &LimitError{Limit: "depth", Max: s.limits.Depth}
	}
	merged := 0 // attributes of a field that decoders merge
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return ErrMalformed
		}
		body = body[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
				return ErrMalformed
			}
			body = body[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return ErrMalformed
		}
		body = body[n:]
		field, isMessage := of.fields[number]
		if !isMessage {
			continue
		}
		if err := s.add(field.bytes, field.factor, len(inner)); err != nil {
			return err
		}
		if field == keyValue && of != list {
			if *attributes++; *attributes > s.limits.Attributes {
				return &LimitError{Limit: "attributes", Max: s.limits.Attributes}
			}
		}
		if field.fields == nil {
			continue
		}
		count := &merged
		if !field.merges {
			count = new(int)
		}
		if err := s.scan(inner, field, depth+1, count); err != nil {
			return err
		}
	}
	return nil
}
