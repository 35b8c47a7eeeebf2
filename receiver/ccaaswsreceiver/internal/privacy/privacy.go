// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package privacy takes personal data out of what a platform sends, before a record
// exists. It is pure: no pdata, no clock, no goroutine.
package privacy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Redacted replaces a value.
const Redacted = "[redacted]"

const quoted = `"` + Redacted + `"`

// maxBuffer is the largest buffer that is kept from one value to the next.
const maxBuffer = 64 << 10

// maxDepth is the maximum nesting of objects and lists.
const maxDepth = 64

// Settings configure what is personal besides the defaults.
type Settings struct {
	// Redact are paths in an object: keys with dots between them. Lists are gone
	// through, and a path that goes on in JSON that is text (`|json`) ends there.
	Redact []string
	// Keep are paths of what an event is known by. A value there stays if it is the
	// event's, which its record has anyway. Redact goes before it.
	Keep []string
	// Numbers and Times are paths where nothing stays but the event's own value, a number
	// of a few digits, or a time.
	Numbers, Times []string
	// Users reports whether those who take part are redacted as well, ids included.
	Users bool
}

// Redactor replaces personal values in JSON. Its buffer is the result's.
type Redactor struct {
	redact, keep *node
	keys         keys
	event        *jsonevent.Event // nil: what is redacted is none

	raw     []byte
	out     []byte
	scratch []byte
}

// node is a step of paths.
type node struct {
	ends  bool
	holds holding // where it ends
	next  map[string]*node
}

// holding is the kind of value at the end of a path.
type holding uint8

const (
	identity holding = 1 << iota
	number
	clock
)

// New returns a redactor.
func New(set Settings) (*Redactor, error) {
	r := &Redactor{redact: &node{}, keep: &node{}, keys: keys{users: set.Users}}
	for _, path := range set.Redact {
		if err := r.redact.add(path, 0); err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
	}
	for holds, paths := range map[holding][]string{identity: set.Keep, number: set.Numbers, clock: set.Times} {
		for _, path := range paths {
			if err := r.keep.add(path, holds); err != nil {
				return nil, fmt.Errorf("%q: %w", path, err)
			}
		}
	}
	return r, nil
}

// add adds the alternatives of a path. A path into text is omitted if its value is
// kept, since only the complete text can be kept.
func (n *node) add(path string, holds holding) error {
	for one := range strings.SplitSeq(path, "||") {
		one, _, inText := strings.Cut(strings.TrimSpace(one), "|json")
		if inText && holds != 0 {
			continue
		}
		if err := n.addSteps(one, holds); err != nil {
			return err
		}
		if holds != 0 {
			n.ends = false // a list of parts is not kept for one of them
		}
	}
	return nil
}

func (n *node) addSteps(path string, holds holding) error {
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
	at.holds |= holds
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

// measures reports whether only a number or a time may be here.
func (n *node) measures() bool { return n.end() && n.holds&(number|clock) != 0 }

// Event redacts the JSON of an event. The result is good until the next call; it is
// false where there is none.
func (r *Redactor) Event(e *jsonevent.Event) (redacted []byte, ok bool) {
	r.event = e
	redacted, ok = r.all(e.Raw)
	r.event = nil
	return redacted, ok
}

func (r *Redactor) all(raw []byte) (redacted []byte, ok bool) {
	if cap(r.out) > maxBuffer {
		r.out = nil
	}
	if cap(r.scratch) > maxBuffer {
		r.scratch = nil
	}
	r.raw, r.out = raw, r.out[:0]
	end, ok := r.value(r.space(0), place{redact: r.redact, keep: r.keep, key: leafKey}, 0)
	ok = ok && r.space(end) == len(raw)
	r.raw = nil
	return r.out, ok
}

// Any redacts what may be JSON, and is no event: it has no identity, and what is
// where one is to be kept may be anything.
func (r *Redactor) Any(raw []byte) (redacted []byte, ok bool) {
	if !json.Valid(raw) {
		return nil, false
	}
	return r.all(raw)
}

// Word reports whether a text may stay as it is, in a field that holds a platform's words.
func (*Redactor) Word(text []byte) bool { return !personal(text, wordKey) }

// place is the place of a value in an object.
type place struct {
	redact, keep *node
	key          class
	strict       bool // everything but what is kept is redacted
}

// value copies the value at pos, and returns the place after it.
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
	case len(raw) == 0 || raw[0] == 't' || raw[0] == 'f' || raw[0] == 'n' || string(raw) == `""`: // not personal
	case at.keep.end() && r.stays(r.text(raw), at.keep.holds):
	case at.strict || at.keep.measures(), at.key == personalKey || at.key == leafKey:
		raw = []byte(quoted)
	case raw[0] == '"' && personal(r.text(raw), at.key), raw[0] != '"' && manyDigits(raw, at.key):
		raw = []byte(quoted)
	}
	r.out = append(r.out, raw...)
}

// stays reports whether a text is kept: the record of the event has it, or it cannot be
// personal.
func (r *Redactor) stays(text []byte, holds holding) bool {
	return holds&identity != 0 && r.identifies(text) || holds&number != 0 && r.counts(text) || holds&clock != 0 && r.isEventTime(text)
}

// identifies reports whether a text is one of those that the event is known by. What was
// dropped, such as the second of two alternatives, is none of them.
func (r *Redactor) identifies(text []byte) bool {
	e := r.event
	if e == nil {
		return false
	}
	return bytes.Equal(text, e.ChannelID) || bytes.Equal(text, e.ID) || bytes.Equal(text, e.TenantID) || bytes.Equal(text, e.Region) ||
		bytes.Equal(text, e.ChannelType) || !r.keys.users && bytes.Equal(text, e.UserID) || isType(text)
}

// isType reports whether a text is a type of event.
func isType(text []byte) bool {
	switch string(text) {
	case wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageReceive:
		return true
	}
	return false
}

// counts reports whether a text is a number of the event, or of so few digits that it is no
// telephone number.
func (r *Redactor) counts(text []byte) bool {
	if isPlainNumber(text) {
		return true
	}
	n, ok := jsonevent.ParseInteger(bytes.TrimSpace(text))
	e := r.event
	return ok && e != nil && (e.HasPayloadSize && n == e.PayloadSize || e.HasCloseCode && n == e.CloseCode)
}

// isEventTime reports whether a text is a time. Many numbers can be read as one: it is the event's,
// or close to the present.
func (r *Redactor) isEventTime(text []byte) bool {
	at, err := jsonevent.ParseTimestamp(text)
	switch {
	case err != nil:
		return false
	case r.event != nil && at == r.event.Time && len(text) <= maxEpoch:
		return true
	case isEpoch(text):
		return at >= earliest && at < latest
	}
	return isDateTime(text)
}

// text is a scalar as it reads.
func (r *Redactor) text(raw []byte) []byte {
	if raw[0] != '"' {
		return raw
	}
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	r.scratch = jsonevent.AppendUnescaped(r.scratch[:0], text)
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

// member copies a key, and returns the place of its value.
func (r *Redactor) member(raw []byte, in place) place {
	key := r.text(raw)
	facts := r.keys.facts(key)
	to := place{redact: in.redact.step(key), keep: in.keep.step(key), key: facts.class}
	to.strict = in.strict || to.key == personalKey || in.keep.measures()
	made := in.strict && (to.key == otherKey || to.key == wordKey) && to.keep == nil // by people, or for them
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

// space returns the place of the first byte from pos on that is no white space.
func (r *Redactor) space(pos int) int {
	for pos < len(r.raw) && (r.raw[pos] == ' ' || r.raw[pos] == '\n' || r.raw[pos] == '\r' || r.raw[pos] == '\t') {
		pos++
	}
	return pos
}

// closing returns the place after the string at pos; past the end, it has none.
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

// Hasher returns pseudonyms: the first half of an HMAC-SHA256, in hexadecimal. The same
// key returns the same ones everywhere.
type Hasher struct {
	mac hash.Hash
	sum []byte
	out []byte
}

// NewHasher returns a hasher with a key.
func NewHasher(key string) *Hasher {
	return &Hasher{mac: hmac.New(sha256.New, []byte(key))}
}

// Hash returns the pseudonym of an id, which is valid until the next call.
func (h *Hasher) Hash(id []byte) []byte {
	h.mac.Reset()
	h.mac.Write(id)
	h.sum = h.mac.Sum(h.sum[:0])
	h.out = hex.AppendEncode(h.out[:0], h.sum[:sha256.Size/2])
	return h.out
}
