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

// JSON scans a body of OTLP in JSON, whichever signal it has: each object counts as a message, and so
// does each element of an array, whatever it is: decoders make a message of null, too. Elements of
// arrays of numbers or strings are parts of their message. The error is a *LimitError or wraps ErrMalformed.
func JSON(body []byte, limits Limits) (Size, error) {
	s := scanner{limits: limits}
	maxDepth := 2 * limits.Depth // a message is an object, often in an array
	lists := make([]elements, maxDepth+1)
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body)) // rejects duplicate names, of which decoders would add up the elements
	name := ""
	add := func(in int) error { // a message, in what is open at that depth
		attribute := lists[in] == ofAttributes
		if err := s.add(objectBytes(name, attribute), 0, 0); err != nil {
			return err
		}
		if _, count := decoder.StackIndex(in); attribute && count > int64(limits.Attributes) {
			return &LimitError{Limit: "attributes", Max: limits.Attributes}
		}
		return nil
	}
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
			if outer, _ := decoder.StackIndex(depth - 1); outer == '[' {
				if err := add(depth - 1); err != nil {
					return s.size, err
				}
			}
			lists[depth], name = listOf(name), ""
		case '{':
			if err := add(depth - 1); err != nil {
				return s.size, err
			}
			lists[depth], name = ofMessages, ""
		case ']', '}':
			name = ""
		default:
			if parent == '{' && n%2 == 1 && kind == '"' {
				name = token.String()
				continue
			}
			switch {
			case parent != '[':
			case lists[depth] == ofScalars:
				s.size.Bytes += 16 // in a slice that grows
			default:
				if err := add(depth); err != nil {
					return s.size, err
				}
			}
			name = ""
		}
	}
}

// elements is what an array holds.
type elements int

const (
	ofMessages elements = iota
	ofAttributes
	ofScalars
)

// listOf returns what the array of a name holds.
func listOf(name string) elements {
	switch name {
	case "attributes", "filteredAttributes", "filtered_attributes":
		return ofAttributes
	case "bucketCounts", "bucket_counts", "explicitBounds", "explicit_bounds", "idKeys", "id_keys", "descriptionKeys", "description_keys":
		return ofScalars
	}
	return ofMessages
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
