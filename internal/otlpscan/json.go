// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package otlpscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON scans a body of OTLP in JSON, whichever signal it has: each object counts as a message, each
// element of an array that is none as its part. The error is a *LimitError or wraps ErrMalformed.
func JSON(body []byte, limits Limits) (Size, error) {
	s := scanner{limits: limits}
	maxDepth := 2 * limits.Depth // a message is an object, often in an array
	attributes := make([]bool, maxDepth+1)
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body)) // rejects duplicate names, of which decoders would add up the elements
	name := ""
	for {
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return s.size, nil
		case err != nil:
			return s.size, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		depth := decoder.StackDepth()
		if depth > maxDepth {
			return s.size, &LimitError{Limit: "depth", Max: limits.Depth}
		}
		parent, n := decoder.StackIndex(depth)
		switch kind := token.Kind(); kind {
		case '[':
			attributes[depth] = name == "attributes" || name == "filteredAttributes" || name == "filtered_attributes"
			name = ""
		case '{':
			if err := s.add(objectBytes(name, attributes[depth-1]), 0, 0); err != nil {
				return s.size, err
			}
			if attributes[depth-1] {
				if _, count := decoder.StackIndex(depth - 1); count > int64(limits.Attributes) {
					return s.size, &LimitError{Limit: "attributes", Max: limits.Attributes}
				}
			}
			attributes[depth], name = false, ""
		case ']', '}':
			name = ""
		default:
			if parent == '{' && n%2 == 1 && kind == '"' {
				name = token.String()
				continue
			}
			if parent == '[' {
				s.size.Bytes += 16 // a number or a string, in a slice that grows
			}
			name = ""
		}
	}
}

// objectBytes is the memory for an object of a name, or of an array of attributes.
func objectBytes(name string, attribute bool) int {
	switch name {
	case "value", "body", "arrayValue", "kvlistValue":
		attribute = true
	}
	if attribute {
		return attributeBytes
	}
	return messageBytes
}
