// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what an object's keys may make the decoder remember.
const (
	maxLearnedKeys = 64
	maxLearnedKey  = 64
)

// pathNode is a node of the tree of paths: one that is read, one above it, or one that is
// only known by its key, so that it can be expected.
type pathNode struct {
	path  string // for a person
	token string // the key as encoders write it: `"channelId":`
	field field
	bit   fieldSet  // the field's
	text  *[]byte   // where in the decoder's event a string goes
	also  *pathNode // another field read at this place

	slot   int       // of the mapping, from 1 on
	inside *pathNode // the object that is encoded in the value
	span   int       // slot of the mapping, from 1 on, for all of a value that others are read in

	members  map[string]*pathNode // by key, where the value is an object
	elements map[int]*pathNode    // by index, where it is an array

	// Objects of one platform have their keys in one order, but not every object
	// has every key. So each key remembers what followed it the last time, and is
	// compared with that before it is looked up.
	first *pathNode // the first key of the object, the last time
	next  *pathNode // the key after this one, the last time

	unknown *pathNode // represents all keys that are not among the members
	learned int       // how many members are only known by their key
}

// holdMembers allows the value of the node to be an object.
func (p *pathNode) holdMembers() {
	p.members = map[string]*pathNode{}
	// An empty key is the one key that no path can name.
	p.unknown = &pathNode{token: `"":`}
	p.unknown.next = p.unknown
	p.first = p.unknown
}

// member returns the node of a key, which it creates if there is none.
func (p *pathNode) member(key string) *pathNode {
	if p.members == nil {
		p.holdMembers()
	}
	m, ok := p.members[key]
	if !ok {
		m = &pathNode{path: strings.TrimPrefix(p.path+"."+key, "."), token: `"` + key + `":`, next: p.unknown}
		p.members[key] = m
	}
	return m
}

// element returns the node of an index, which it creates if there is none.
func (p *pathNode) element(index int) *pathNode {
	if p.elements == nil {
		p.elements = map[int]*pathNode{}
	}
	e, ok := p.elements[index]
	if !ok {
		e = &pathNode{path: p.path + "[" + strconv.Itoa(index) + "]"}
		p.elements[index] = e
	}
	return e
}

// learn adds a node for a key that is not read, so that it is expected the next time. A key with anything in it that would have to be validated is not learned.
func (p *pathNode) learn(key []byte) *pathNode {
	if p.learned >= maxLearnedKeys || len(key) > maxLearnedKey || !plain(key) {
		return p.unknown
	}
	p.learned++
	return p.member(string(key))
}

// hasChildren reports whether anything is read in the place's value.
func (p *pathNode) hasChildren() bool { return p.members != nil || p.elements != nil }

// plain reports whether a key is ASCII that is in JSON as it is.
func plain(key []byte) bool {
	return !bytes.ContainsFunc(key, func(r rune) bool { return r >= utf8.RuneSelf || needsEscape(r) })
}

// needsEscape reports whether a character needs an escape in JSON.
func needsEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' }

// tree is the places while they are put together.
type tree struct {
	root  *pathNode
	event *Event               // whose texts the places write
	keys  map[*pathNode]string // the configuration key of each place that is read

	mapping mapping
}

// newTree returns the root of all places that fields are read from.
func newTree(fields *Fields, types Types, event *Event) (*pathNode, *mapping, error) {
	root := &pathNode{}
	root.holdMembers()
	t := tree{root: root, event: event, keys: map[*pathNode]string{}}
	settings := fields.settings()
	for _, s := range settings {
		if s.field == typeField && len(types) > 0 {
			continue
		}
		if err := t.add(s); err != nil {
			return nil, nil, fmt.Errorf("fields::%s: %q: %w", s.key, s.path, err)
		}
	}
	if err := t.addTypes(types); err != nil {
		return nil, nil, err
	}
	if err := t.addText(fields.Text); err != nil {
		return nil, nil, fmt.Errorf("fields::text: %q: %w", fields.Text, err)
	}
	defaults := DefaultFields()
	for i, standard := range defaults.settings() {
		// What is configured goes before what is only accepted.
		if standard.snake && settings[i].path == standard.path && root.members[standard.key] == nil {
			t.read(root.member(standard.key), standard.field)
		}
	}
	if len(t.mapping.slots) == 0 {
		return root, nil, nil
	}
	return root, &t.mapping, nil
}

// read marks a node as one that a field is read from.
func (t *tree) read(at *pathNode, f field) {
	at.field, at.bit, at.text = f, f.bit(), t.event.text(f)
}

func (t *tree) add(s setting) error {
	if s.path == "" {
		if s.field.bit()&required != 0 {
			return errors.New("no event is without it, so it needs a path")
		}
		return nil
	}
	if strings.Contains(s.path, alternative) {
		return t.addFallback(s)
	}
	at, err := t.walk(s.path)
	switch {
	case err != nil:
		return err
	case at.hasChildren():
		return errors.New("a value is read here, but another field is read inside it")
	case at.field != noField:
		other := &pathNode{path: s.path, also: at.also}
		t.read(other, s.field)
		at.also = other
	default:
		t.read(at, s.field)
		t.keys[at] = s.key
	}
	return nil
}

// walk follows a path, and creates the nodes on it.
func (t *tree) walk(path string) (*pathNode, error) {
	if !utf8.ValidString(path) {
		return nil, errors.New("not UTF-8")
	}
	if strings.ContainsFunc(path, needsEscape) {
		return nil, errors.New("a key with quotes, backslashes or control characters cannot be read")
	}
	at, depth := t.root, 0
	for i, step := range strings.Split(path, ".") {
		step, nested := strings.CutSuffix(step, "|json")
		key, indices, indexed := strings.Cut(step, "[")
		switch {
		case strings.Contains(step, "|"):
			return nil, fmt.Errorf("%q: only |json may follow a |", step)
		case key == "" && (!indexed || i > 0):
			if indexed {
				return nil, errors.New("an index without a key before it")
			}
			return nil, errors.New("empty step")
		case key != "":
			if at.field != noField {
				return nil, t.taken(at)
			}
			at, depth = at.member(key), depth+1
		}
		for indexed {
			var digits string
			var closed bool
			digits, indices, closed = strings.Cut(indices, "]")
			index, err := strconv.ParseUint(digits, 10, 16)
			if err != nil || !closed {
				return nil, fmt.Errorf("%q: an index is [0] to [65535]", step)
			}
			if at.field != noField {
				return nil, t.taken(at)
			}
			at, depth = at.element(int(index)), depth+1
			if indices, indexed = strings.CutPrefix(indices, "["); !indexed && indices != "" {
				return nil, fmt.Errorf("%q: a dot belongs after an index", step)
			}
		}
		if nested {
			at = at.object()
		}
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("deeper than %d steps", maxDepth)
	}
	return at, nil
}

// object returns the place of the object that is encoded in the value of p.
func (p *pathNode) object() *pathNode {
	p = p.capturing()
	if p.inside == nil {
		p.inside = &pathNode{path: p.path + "|json"}
		p.inside.holdMembers()
	}
	return p.inside
}

func (t *tree) taken(at *pathNode) error {
	by := "types"
	if key := t.keys[at]; key != "" {
		by = "fields::" + key
	}
	return fmt.Errorf("%s reads a value at %q, so nothing can be read inside it", by, at.path)
}
