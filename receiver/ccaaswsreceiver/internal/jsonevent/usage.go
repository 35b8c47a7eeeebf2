// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import "fmt"

// usage counts which entries of Types and Fields match events.
type usage struct {
	events  [MessageReceive + 1]int64 // by type
	matched fieldSet                  // fields that had a value in at least one event
	text    bool                      // the text had a length
}

func (u *usage) count(e *Event, given fieldSet) {
	u.events[e.Type]++
	u.matched |= given
	if e.HasPayloadSize {
		u.matched |= payloadSizeField.bit()
		u.text = true
	}
	if e.HasCloseCode {
		u.matched |= closeCodeField.bit()
	}
}

// Unused is an entry of Types or Fields that has matched no event.
type Unused struct {
	Key    string // fields::user_id, types::message.send[0]
	Path   string // of a field
	Events int64  // that could have matched
}

// Events returns the number of events since the decoder was made.
func (d *Decoder) Events() (sum int64) {
	for _, n := range d.usage.events {
		sum += n
	}
	return sum
}

// Unused returns the entries that have matched no event, although others have. Fields
// of messages are judged by messages, and fields of closes by closes. Fields at their
// default are not reported: a platform need not send them.
func (d *Decoder) Unused() []Unused {
	var unused []Unused
	all := d.Events()
	if all == 0 {
		return nil
	}
	messages, closes := d.usage.events[MessageSend]+d.usage.events[MessageReceive], d.usage.events[ConnectionClose]
	if d.mapping != nil {
		for _, r := range d.mapping.rules {
			if r.matched == 0 {
				unused = append(unused, Unused{Key: r.key, Events: all})
			}
		}
	}
	defaults := DefaultFields()
	standard := defaults.settings()
	for i, s := range d.fields.settings() {
		could := all
		switch s.field {
		case payloadSizeField:
			could = messages
		case closeCodeField, closeReasonField:
			could = closes
		}
		if s.path != "" && s.path != standard[i].path && could > 0 && d.usage.matched&s.field.bit() == 0 {
			unused = append(unused, Unused{Key: "fields::" + s.key, Path: s.path, Events: could})
		}
	}
	if d.fields.Text != "" && messages > 0 && !d.usage.text {
		unused = append(unused, Unused{Key: "fields::text", Path: d.fields.Text, Events: messages})
	}
	return unused
}

// ruleKey is the key of a condition of Types in the configuration.
func ruleKey(name string, index int) string { return fmt.Sprintf("types::%s[%d]", name, index) }
