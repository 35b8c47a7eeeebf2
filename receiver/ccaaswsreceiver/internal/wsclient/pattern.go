// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// largestControl is the maximum size of a frame that is compared with patterns, in bytes.
const largestControl = 64 << 10

// Pattern matches frames. A JSON object matches every object that has all its members;
// an object encoded in a string counts as an object. Any other text matches the frame
// that is that text, bare or as a JSON string. The empty pattern matches blank frames.
type Pattern struct {
	text   string
	object map[string]any
	needle []byte // is in every frame that matches: others are not parsed
}

// NewPattern parses a pattern.
func NewPattern(text string) *Pattern {
	p := &Pattern{text: string(bytes.TrimSpace([]byte(text)))}
	if json.Unmarshal([]byte(p.text), &p.object) == nil && p.object != nil {
		p.needle = []byte(longest(p.object))
		return p
	}
	var bare string
	if json.Unmarshal([]byte(p.text), &bare) == nil {
		p.text = bare
	}
	return p
}

// Matches reports whether a frame matches. A nil pattern matches none.
func (p *Pattern) Matches(frame []byte) bool {
	if p == nil || len(frame) > largestControl {
		return false
	}
	if p.object == nil {
		frame = bytes.TrimSpace(frame)
		if len(frame) != len(p.text) && (len(frame) < 2 || frame[0] != '"') {
			return false
		}
		var bare string
		return string(frame) == p.text || json.Unmarshal(frame, &bare) == nil && frame[0] == '"' && bare == p.text
	}
	if !bytes.Contains(frame, p.needle) {
		return false
	}
	var object map[string]any
	return json.Unmarshal(frame, &object) == nil && object != nil && contains(object, p.object)
}

// contains reports whether a value has all members of another.
func contains(value, requested any) bool {
	object, isObject := requested.(map[string]any)
	if !isObject {
		return reflect.DeepEqual(value, requested)
	}
	if text, isText := value.(string); isText {
		var inside map[string]any
		if json.Unmarshal([]byte(text), &inside) != nil || inside == nil {
			return false
		}
		value = inside
	}
	members, isObject := value.(map[string]any)
	if !isObject {
		return false
	}
	for key, one := range object {
		if member, there := members[key]; !there || !contains(member, one) {
			return false
		}
	}
	return true
}

// longest returns the longest text of an object that needs no escape in JSON.
func longest(object map[string]any) string {
	best := ""
	take := func(word string) {
		if len(word) > len(best) && inJSON(word) == word {
			best = word
		}
	}
	for key, value := range object {
		take(key)
		switch one := value.(type) {
		case string:
			take(one)
		case map[string]any:
			take(longest(one))
		}
	}
	return best
}
