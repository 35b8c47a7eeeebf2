// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import "time"

// Message is a log record, as formats see it.
type Message struct {
	// ID is the webhook-id: the same for a record that is delivered again.
	ID string
	// AlertID is the same for all records of an episode; empty on what is no alert.
	AlertID string
	// Event is the record's EventName, as in alert.firing.
	Event string
	// Severity is the record's, in lower case.
	Severity string
	// Time is the record's Timestamp.
	Time time.Time
	// Content is the record's body as it is sent by the native format.
	Content Payload
	// Body is the record's body in Go's types: a map[string]any where it is an
	// object.
	Body any
	// Attributes are the record's, Resource its resource's.
	Attributes, Resource map[string]any
}

// Payload is what is sent.
type Payload struct {
	Body        []byte
	ContentType string
}

// JSON is the content type of most payloads.
const JSON = "application/json"

// Format makes the payload of a message. An error is lasting: the same message
// would fail again. It is given the time, since a payload may say how long it is
// good for.
type Format interface {
	Render(message *Message, now time.Time) (Payload, error)
}

// Native sends the body as it is.
type Native struct{}

// Render implements Format.
func (Native) Render(message *Message, _ time.Time) (Payload, error) { return message.Content, nil }
