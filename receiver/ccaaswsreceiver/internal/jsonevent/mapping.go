// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Types are the conditions that make an object an event of a type, for platforms with
// other types: for each type, conditions of which one must hold. A condition has for each
// of its paths the values that match; `*` is any value. An object for which no condition
// holds is ignored.
type Types map[string][]map[string][]string

// Reopen is the name in Types of an open that counts only for a channel that was
// closed: a state that is open, whatever it was before.
const Reopen = "connection.reopen"

// alternative separates paths of which the first that is given counts.
const alternative = "||"

// mapping reads fields that need more than one path. It reads slots, into which the decoder
// puts the values of its paths.
type mapping struct {
	rules     []rule
	types     []int // slots that the rules read
	fallbacks []fallback
	texts     []int // slots whose first that is given has the payload size
	slots     []capturedValue
}

// rule makes an object an event of a type.
type rule struct {
	is      Type
	reopens bool
	where   []condition // all must hold
	key     string      // in the configuration
	matched int64       // events
}

// condition is on the value in a slot.
type condition struct {
	slot   int
	values []string // nil: any
}

// fallback is a field that is read from the first of its slots that is given.
type fallback struct {
	at    *pathNode // has the field
	slots []int
}

// captured is a value that was found at a path.
type capturedValue struct {
	given    bool
	isNumber bool
	isBool   bool
	text     []byte
	number   number
}

func eventTypes() []string {
	return []string{wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageReceive}
}

// NewMapped returns a decoder for objects whose types are conditions.
func NewMapped(fields Fields, types Types) (*Decoder, error) {
	if len(types) == 0 {
		return NewDecoder(fields)
	}
	fields.Type = ""
	return decoderFor(fields, types)
}

// HasTypes reports whether conditions make objects events, and not a field.
func (d *Decoder) HasTypes() bool { return d.mapping != nil && len(d.mapping.rules) > 0 }

// addTypes reads the conditions.
func (t *tree) addTypes(types Types) error {
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if all := append(eventTypes(), Reopen); !slices.Contains(all, name) {
			return fmt.Errorf("types: %q: must be one of %s", name, strings.Join(all, ", "))
		}
	}
	for is, name := range append(eventTypes(), Reopen) {
		for index, where := range types[name] {
			one := rule{is: Type(is), key: ruleKey(name, index)} //nolint:gosec // there are five
			if name == Reopen {
				one.is, one.reopens = ConnectionOpen, true
			}
			for _, path := range slices.Sorted(maps.Keys(where)) {
				slot, err := t.capture(path)
				if err != nil {
					return fmt.Errorf("types::%s: %q: %w", name, path, err)
				}
				values := where[path]
				if slices.Contains(values, "*") {
					values = nil
				} else if len(values) == 0 {
					return fmt.Errorf("types::%s: %q: has no values; give some, or *", name, path)
				}
				one.where = append(one.where, condition{slot: slot, values: values})
				if !slices.Contains(t.mapping.types, slot) {
					t.mapping.types = append(t.mapping.types, slot)
				}
			}
			if len(one.where) == 0 {
				return fmt.Errorf("types::%s: a condition without a path", name)
			}
			t.mapping.rules = append(t.mapping.rules, one)
		}
	}
	slices.SortStableFunc(t.mapping.rules, func(a, b rule) int { return cmp.Compare(a.wildcards(), b.wildcards()) })
	if len(types) > 0 && len(t.mapping.rules) == 0 {
		return errors.New("types: has no conditions")
	}
	return nil
}

// wildcards is how many of a rule's conditions any value fulfils; a rule with
// fewer goes first.
func (r rule) wildcards() (n int) {
	for _, one := range r.where {
		if one.values == nil {
			n++
		}
	}
	return n
}

// addFallback reads a field that is at one of several paths.
func (t *tree) addFallback(s setting) error {
	one := fallback{at: &pathNode{path: s.path}}
	t.read(one.at, s.field)
	for path := range strings.SplitSeq(s.path, alternative) {
		slot, err := t.capture(strings.TrimSpace(path))
		if err != nil {
			return err
		}
		one.slots = append(one.slots, slot)
	}
	t.mapping.fallbacks = append(t.mapping.fallbacks, one)
	return nil
}

// addText reads the text whose length is the payload size. One of its paths may lead
// through another.
func (t *tree) addText(path string) error {
	if path == "" {
		return nil
	}
	var paths []string
	for one := range strings.SplitSeq(path, alternative) {
		one = strings.TrimSpace(one)
		if _, err := t.walk(one); err != nil {
			return err
		}
		paths = append(paths, one)
	}
	for _, one := range paths {
		at, _ := t.walk(one)
		if !at.hasChildren() {
			slot, err := t.capture(one)
			if err != nil {
				return err
			}
			t.mapping.texts = append(t.mapping.texts, slot)
			continue
		}
		t.mapping.slots = append(t.mapping.slots, capturedValue{})
		at.span = len(t.mapping.slots)
		t.mapping.texts = append(t.mapping.texts, at.span-1)
	}
	return nil
}

// capture returns the slot of a path, which it creates if there is none.
func (t *tree) capture(path string) (slot int, err error) {
	at, err := t.walk(path)
	switch {
	case err != nil:
		return 0, err
	case at.hasChildren():
		return 0, errors.New("a value is read here, but another is read inside it")
	}
	at = at.capturing()
	if at.slot == 0 {
		t.mapping.slots = append(t.mapping.slots, capturedValue{})
		at.slot = len(t.mapping.slots)
	}
	return at.slot - 1, nil
}

// capturing returns the place that captures what is at p: p itself, or one
// beside it.
func (p *pathNode) capturing() *pathNode {
	if p.field == noField {
		p.field = captureField
		return p
	}
	for one := p; one != nil; one = one.also {
		if one.field == captureField {
			return one
		}
	}
	p.also = &pathNode{path: p.path, field: captureField, also: p.also}
	return p.also
}

// captureValue reads the value at pos into the place's slot, or what is
// JSON inside it.
func (d *Decoder) captureValue(at *pathNode, pos, depth int) (end int, ok bool) {
	value := capturedValue{given: true}
	switch c := d.frame[pos]; {
	case c == '"':
		value.text, end, ok = d.text(pos)
		if ok && at.inside != nil {
			d.nested(at, value.text, depth)
		}
		value.given = len(value.text) > 0
	case c == '-' || isDigit(c):
		end, ok = d.number(&value.number, pos)
		value.isNumber = true
	default:
		end, ok = d.skip(pos, depth)
		value.isBool = c == 't' || c == 'f'
		value.given = value.isBool
	}
	if !ok || at.slot == 0 || !value.given {
		return end, ok
	}
	if value.text == nil {
		value.text = d.frame[pos:end:end]
	}
	slot := &d.mapping.slots[at.slot-1]
	if slot.given {
		d.fault(wsevent.ViolationDuplicateKey, at.path+": the field is given twice")
		return end, true
	}
	*slot = value
	return end, true
}

// spanned reads the value at pos, in which others are read, and notes all of it.
func (d *Decoder) spanned(at *pathNode, pos, depth int) (end int, ok bool) {
	switch c := d.frame[pos]; {
	case c == '{' && at.members != nil:
		end, ok = d.object(at, pos, depth+1)
	case c == '[' && at.elements != nil:
		end, ok = d.list(at, pos, depth+1)
	case c == '"':
		var text []byte
		if text, end, ok = d.text(pos); ok {
			d.mapping.slots[at.span-1] = capturedValue{given: len(text) > 0, text: text}
		}
		return end, ok
	default:
		end, ok = d.skip(pos, depth)
	}
	if c := d.frame[pos]; ok && (c == '{' || c == '[') && skipSpace(d.frame, pos+1) < end-1 {
		d.mapping.slots[at.span-1] = capturedValue{given: true, text: d.frame[pos:end:end]}
	}
	return end, ok
}

// nested reads the object that is encoded in a string. Text that is no object
// gives nothing.
func (d *Decoder) nested(at *pathNode, text []byte, depth int) {
	pos := skipSpace(text, 0)
	if pos >= len(text) || text[pos] != '{' {
		return
	}
	frame := d.frame
	d.frame = text
	end, ok := d.object(at.inside, pos, depth+1)
	if ok && skipSpace(text, end) < len(text) {
		ok = d.syntax(end, "nothing belongs here after the object")
	}
	d.frame = frame
	if !ok {
		d.fault(wsevent.ViolationWrongType, at.path+": the JSON in it is broken: "+d.cause)
	}
}

// resolve sets the fields of the slots. It returns false where the object is not an event.
func (m *mapping) resolve(d *Decoder) bool {
	if len(m.rules) > 0 {
		if at := slices.IndexFunc(m.rules, func(r rule) bool { return m.holds(r.where) }); at >= 0 {
			d.event.Type, d.event.Reopens = m.rules[at].is, m.rules[at].reopens
			d.given |= typeField.bit()
			m.rules[at].matched++
		} else if slices.ContainsFunc(m.types, func(slot int) bool { return m.slots[slot].given }) {
			return false
		}
	}
	for i := range m.fallbacks {
		one := &m.fallbacks[i]
		for _, slot := range one.slots {
			if value := &m.slots[slot]; value.given {
				d.assign(one.at, value)
				break
			}
		}
	}
	m.measure(&d.event)
	return true
}

// measure takes the length of a message's text as its payload size.
func (m *mapping) measure(e *Event) {
	if !e.Type.Message() {
		return
	}
	for _, slot := range m.texts {
		if value := &m.slots[slot]; value.given && !value.isBool {
			e.PayloadSize, e.HasPayloadSize = int64(len(value.text)), true
			return
		}
	}
}

func (d *Decoder) assign(at *pathNode, value *capturedValue) {
	var problem string
	switch {
	case value.isNumber:
		problem = d.takeNumber(at, &value.number, value.text)
	case value.isBool:
		problem = at.field.want()
	default:
		problem = d.takeText(at, value.text)
	}
	if problem != "" {
		d.refuse(at, value.text, problem)
	}
}

func (m *mapping) holds(where []condition) bool {
	for _, one := range where {
		value := &m.slots[one.slot]
		if !value.given || one.values != nil && !slices.Contains(one.values, string(value.text)) {
			return false
		}
	}
	return true
}
