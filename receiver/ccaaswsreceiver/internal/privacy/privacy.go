// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package privacy takes personal data out of what a platform sends, before a record
// exists. It is pure: no pdata, no clock, no goroutine.
package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Redacted stands where a value was.
const Redacted = "[redacted]"

const quoted = `"` + Redacted + `"`

// maxBuffer is the largest buffer that is kept from one value to the next.
const maxBuffer = 64 << 10

// maxDepth is how deep objects and lists may stand in each other.
const maxDepth = 64

// Settings say what is personal besides what always is.
type Settings struct {
	// Redact and Keep are paths in an object: keys with dots between them. Lists are
	// gone through, and a path that goes on in JSON that stands as text (`|json`) ends
	// there. Redact goes before Keep.
	Redact, Keep []string
	// Users is whether those who take part are redacted as well, ids included.
	Users bool
}

// Redactor replaces personal values in JSON. Its buffer is the result's.
type Redactor struct {
	redact, keep *node
	keys         keys

	raw     []byte
	out     []byte
	scratch []byte
}

// node is a step of paths.
type node struct {
	ends bool
	next map[string]*node
}

// New gives a redactor.
func New(set Settings) (*Redactor, error) {
	r := &Redactor{redact: &node{}, keep: &node{}, keys: keys{users: set.Users}}
	for _, path := range set.Redact {
		if err := r.redact.add(path, false); err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
	}
	for _, path := range set.Keep {
		if err := r.keep.add(path, true); err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
	}
	return r, nil
}

// add adds the alternatives of a path. A path into text is left out where only the
// whole of it will do.
func (n *node) add(path string, whole bool) error {
	for one := range strings.SplitSeq(path, "||") {
		one, _, inText := strings.Cut(strings.TrimSpace(one), "|json")
		if inText && whole {
			continue
		}
		if err := n.addSteps(one); err != nil {
			return err
		}
		if whole {
			n.ends = false // a list of parts is not kept for one of them
		}
	}
	return nil
}

func (n *node) addSteps(path string) error {
	at := n
	for step := range strings.SplitSeq(path, ".") {
		key, index, indexed := strings.Cut(step, "[")
		if indexed && !strings.HasSuffix(index, "]") {
			return errors.New("an index without an end")
		}
		if key == "" {
			if !indexed || at != n {
				return errors.New("empty step")
			}
			continue // the frame is a list
		}
		following := at.next[key]
		if following == nil {
			following = &node{}
			if at.next == nil {
				at.next = map[string]*node{}
			}
			at.next[key] = following
		}
		at = following
	}
	at.ends = true // of the root: all of the frame
	return nil
}

// step follows a path by a key; nil: none goes there.
func (n *node) step(key []byte) *node {
	if n == nil {
		return nil
	}
	return n.next[string(key)]
}

func (n *node) end() bool { return n != nil && n.ends }

// Valid redacts a value that is known to be JSON. The result is good until the next
// call; it is false where there is none.
func (r *Redactor) Valid(raw []byte) (redacted []byte, ok bool) { return r.all(raw, r.keep) }

func (r *Redactor) all(raw []byte, keep *node) (redacted []byte, ok bool) {
	if cap(r.out) > maxBuffer {
		r.out = nil
	}
	if cap(r.scratch) > maxBuffer {
		r.scratch = nil
	}
	r.raw, r.out = raw, r.out[:0]
	end, ok := r.value(r.space(0), place{redact: r.redact, keep: keep, key: leafKey}, 0)
	ok = ok && r.space(end) == len(raw)
	r.raw = nil
	return r.out, ok
}

// Any redacts what may be JSON, and is no event: what stands where something is to be
// kept need not be that.
func (r *Redactor) Any(raw []byte) (redacted []byte, ok bool) {
	if !json.Valid(raw) {
		return nil, false
	}
	return r.all(raw, nil)
}

// Word is whether a text may stay as it is, in a field that holds a platform's words.
func (*Redactor) Word(text []byte) bool { return !personal(text, otherKey) }

// place is where in an object a value stands.
type place struct {
	redact, keep *node
	key          class
	strict       bool // everything but what is kept is redacted
}

// value copies the value at pos, and gives the place after it.
func (r *Redactor) value(pos int, at place, depth int) (end int, ok bool) {
	if pos >= len(r.raw) || depth > maxDepth {
		return pos, false
	}
	if at.redact.end() {
		at.strict, at.keep = true, nil
	}
	switch c := r.raw[pos]; c {
	case '{':
		return r.object(pos, at, depth)
	case '[':
		return r.list(pos, at, depth)
	case '"':
		end = closing(r.raw, pos)
		if end > len(r.raw) {
			return end, false
		}
		r.scalar(r.raw[pos:end], at)
		return end, true
	default:
		for end = pos; end < len(r.raw) && inScalar(r.raw[end]); end++ {
		}
		r.scalar(r.raw[pos:end], at)
		return end, end > pos
	}
}

// scalar copies what is no object and no list, unless it is personal.
func (r *Redactor) scalar(raw []byte, at place) {
	switch {
	case len(raw) == 0 || raw[0] == 't' || raw[0] == 'f' || raw[0] == 'n' || string(raw) == `""`: // says nothing of anybody
	case at.strict && !at.keep.end():
		raw = []byte(quoted)
	case at.keep.end():
	case at.key == personalKey || at.key == leafKey:
		raw = []byte(quoted)
	case raw[0] == '"' && personal(r.unescaped(raw), at.key), raw[0] != '"' && manyDigits(raw, at.key):
		raw = []byte(quoted)
	}
	r.out = append(r.out, raw...)
}

// unescaped is a string as it reads.
func (r *Redactor) unescaped(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return []byte{0xff} // which nobody keeps
	}
	r.scratch = append(r.scratch[:0], text...)
	return r.scratch
}

func (r *Redactor) object(pos int, at place, depth int) (end int, ok bool) {
	r.out = append(r.out, '{')
	pos = r.space(pos + 1)
	for first := true; pos < len(r.raw); first = false {
		if r.raw[pos] == '}' {
			r.out = append(r.out, '}')
			return pos + 1, true
		}
		if !first {
			if r.raw[pos] != ',' {
				return pos, false
			}
			r.out = append(r.out, ',')
			pos = r.space(pos + 1)
		}
		if pos >= len(r.raw) || r.raw[pos] != '"' {
			return pos, false
		}
		end := closing(r.raw, pos)
		if end > len(r.raw) {
			return end, false
		}
		member := r.member(r.raw[pos:end], at)
		pos = r.space(end)
		if pos >= len(r.raw) || r.raw[pos] != ':' {
			return pos, false
		}
		r.out = append(r.out, ':')
		if pos, ok = r.value(r.space(pos+1), member, depth+1); !ok {
			return pos, false
		}
		pos = r.space(pos)
	}
	return pos, false
}

// member copies a key, and says where its value stands.
func (r *Redactor) member(raw []byte, in place) place {
	key := r.unescaped(raw)
	facts := r.keys.facts(key)
	to := place{redact: in.redact.step(key), keep: in.keep.step(key), key: facts.class}
	to.strict = in.strict || to.key == personalKey
	made := in.strict && to.key == otherKey && to.keep == nil // by people, or for them
	if facts.revealing || made && facts.name {
		raw = []byte(quoted)
	}
	r.out = append(r.out, raw...)
	return to
}

func (r *Redactor) list(pos int, at place, depth int) (end int, ok bool) {
	r.out = append(r.out, '[')
	pos = r.space(pos + 1)
	for first := true; pos < len(r.raw); first = false {
		if r.raw[pos] == ']' {
			r.out = append(r.out, ']')
			return pos + 1, true
		}
		if !first {
			if r.raw[pos] != ',' {
				return pos, false
			}
			r.out = append(r.out, ',')
			pos = r.space(pos + 1)
		}
		if pos, ok = r.value(pos, at, depth+1); !ok {
			return pos, false
		}
		pos = r.space(pos)
	}
	return pos, false
}

// space gives the place of the first byte from pos on that is no white space.
func (r *Redactor) space(pos int) int {
	for pos < len(r.raw) && (r.raw[pos] == ' ' || r.raw[pos] == '\n' || r.raw[pos] == '\r' || r.raw[pos] == '\t') {
		pos++
	}
	return pos
}

// closing gives the place after the string at pos; past the end, it has none.
func closing(raw []byte, pos int) int {
	if end := bytes.IndexByte(raw[pos+1:], '"'); end >= 0 && (end == 0 || raw[pos+end] != '\\') {
		return pos + end + 2 // which most strings have: no escape before it
	}
	for pos++; pos < len(raw); pos++ {
		switch raw[pos] {
		case '\\':
			pos++
		case '"':
			return pos + 1
		}
	}
	return len(raw) + 1
}

func inScalar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}
