// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/protobuf/encoding/protowire"
)

// A message of two bytes takes a hundred when it is decoded, and the decoders go as deep as
// messages are within each other. So what a request has of them is counted before.
// And the time it takes to make labels of attributes grows with the square of their number.
const (
	maxMessages   = 1_000_000
	maxDepth      = 64
	maxAttributes = 128 // of a point, an exemplar, a scope or a resource
)

var errShape = errors.New("nothing is stored")

// message says which fields of a message are messages, and which ones.
type message struct {
	fields map[protowire.Number]*message
	parts  bool // decoders take several of it for parts of one
}

func fields(of map[protowire.Number]*message) *message { return &message{fields: of} }

func parts(of map[protowire.Number]*message) *message { return &message{fields: of, parts: true} }

// The messages of OTLP metrics, and of remote write.
var (
	leaf     = fields(nil)
	value    = fields(nil)
	keyValue = fields(map[protowire.Number]*message{2: value})
	list     = fields(map[protowire.Number]*message{1: keyValue})
	example  = fields(map[protowire.Number]*message{7: keyValue})

	otlpRequest = fields(map[protowire.Number]*message{1: fields(map[protowire.Number]*message{
		1: parts(map[protowire.Number]*message{1: keyValue, 3: leaf}), // resource
		2: fields(map[protowire.Number]*message{ // of a scope
			1: parts(map[protowire.Number]*message{3: keyValue}),
			2: fields(map[protowire.Number]*message{ // metric
				5:  points(map[protowire.Number]*message{7: keyValue, 5: example}),
				7:  points(map[protowire.Number]*message{7: keyValue, 5: example}),
				9:  points(map[protowire.Number]*message{9: keyValue, 8: example}),
				10: points(map[protowire.Number]*message{1: keyValue, 8: leaf, 9: leaf, 11: example}),
				11: points(map[protowire.Number]*message{7: keyValue, 6: leaf}),
				12: keyValue,
			}),
		}),
	})})

	remoteRequest = fields(map[protowire.Number]*message{
		1: fields(map[protowire.Number]*message{
			1: leaf, 2: leaf, 3: fields(map[protowire.Number]*message{1: leaf}), 4: fields(map[protowire.Number]*message{8: leaf, 11: leaf}),
		}),
		3: leaf,
	})
)

func points(of map[protowire.Number]*message) *message {
	return fields(map[protowire.Number]*message{1: fields(of)})
}

func init() { //nolint:gochecknoinits // a value may hold values
	value.fields = map[protowire.Number]*message{
		5: fields(map[protowire.Number]*message{1: value}),
		6: list,
	}
}

// checkShape is an error when there are too many messages in a body, too deep ones, or too many
// attributes of one thing. It is linear in the body. What is not well-formed is up to the decoder.
func checkShape(body []byte, of *message) error {
	c := counter{left: maxMessages}
	return c.count(body, of, maxDepth, new(int))
}

type counter struct{ left int }

// count counts what is in a message, and adds its attributes to those of its other parts.
func (c *counter) count(body []byte, of *message, depth int, attributes *int) error {
	if depth == 0 {
		return fmt.Errorf("messages are more than %d deep: %w; send flatter attributes", maxDepth, errShape)
	}
	together := 0 // of what comes in parts
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return nil
		}
		body = body[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
				return nil
			}
			body = body[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return nil
		}
		body = body[n:]
		within, isMessage := of.fields[number]
		if !isMessage {
			continue
		}
		if c.left--; c.left < 0 {
			return errTooManyMessages
		}
		if within == keyValue && of != list {
			if *attributes++; *attributes > maxAttributes {
				return fmt.Errorf("a point, an exemplar, a scope or a resource has more than %d attributes: %w; send fewer of them", maxAttributes, errShape)
			}
		}
		own := 0
		its := &own
		if within.parts {
			its = &together
		}
		if err := c.count(inner, within, depth-1, its); err != nil {
			return err
		}
	}
	return nil
}

var errTooManyMessages = fmt.Errorf("more than %d messages: %w; send fewer metrics at a time", maxMessages, errShape)

// checkJSON is the same of JSON that is not decoded yet, whose decoder bounds the depth itself.
// Attributes are counted when it is, by checkDecoded.
func checkJSON(body []byte) error {
	if bytes.Count(body, []byte("{")) > maxMessages {
		return errTooManyMessages
	}
	return nil
}

// checkDecoded checks what JSON was decoded to, as the protobuf that would say the same.
func checkDecoded(request pmetricotlp.ExportRequest) error {
	body, err := request.MarshalProto()
	if err != nil {
		return err
	}
	return checkShape(body, otlpRequest)
}
