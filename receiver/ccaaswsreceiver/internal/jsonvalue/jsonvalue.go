// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package jsonvalue reads single values of the JSON of a response. It is pure, and for
// what is not in the event path.
package jsonvalue

import (
	"encoding/json"
	"strconv"
	"strings"
)

// At returns the value at a path, as in data.items[0].id; of an empty path the document.
func At(document []byte, path string) (value json.RawMessage, ok bool) {
	value = document
	for step := range strings.SplitSeq(strings.ReplaceAll(path, "[", ".["), ".") {
		if step == "" {
			continue
		}
		if digits, isIndex := strings.CutPrefix(step, "["); isIndex {
			index, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
			var list []json.RawMessage
			if err != nil || json.Unmarshal(value, &list) != nil || index < 0 || index >= len(list) {
				return nil, false
			}
			value = list[index]
			continue
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil || object[step] == nil {
			return nil, false
		}
		value = object[step]
	}
	return value, true
}

// Text returns a string, or the digits of a number; empty for anything else.
func Text(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		return text
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil {
		return number.String()
	}
	return ""
}
