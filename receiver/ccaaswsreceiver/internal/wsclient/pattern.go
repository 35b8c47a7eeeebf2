// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// largestControl is how large a frame may be that is compared with patterns.
const largestControl = 64 << 10

// Pattern tells one kind of frame. Where it is a JSON object, it matches every
// object that has all its members; an object that stands as text in a string
// counts as an object. Any other text matches the frame that is that text, bare or
// as a JSON string. The empty pattern matches blank frames.
type Pattern struct {
	text   string
	object map[string]any
	needle []byte // stands in every frame that matches; spares the parsing of others
}

// NewPattern reads a pattern.
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

// Matches is whether a frame is of the pattern's kind.
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
	return json.Unmarshal(frame, &object) == nil && contains(object, p.object)
}

// contains is whether a value has all that another one asks for.
func contains(value, asked any) bool {
	object, isObject := asked.(map[string]any)
	if !isObject {
		return reflect.DeepEqual(value, asked)
	}
	if text, isText := value.(string); isText {
		var inside map[string]any
		if json.Unmarshal([]byte(text), &inside) != nil {
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

// longest is the longest word of an object that stands in its JSON as it is.
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
