// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package payload renders a record as the payload of a request: its body unchanged, an alert of
// Alertmanager's API, or the output of a template.
package payload

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
)

// Formats.
const (
	FormatNative       = "native"
	FormatAlertmanager = "alertmanager"
	FormatTemplate     = "template"
)

// Config selects a format.
type Config struct {
	Format string // one of the above
	// ExpireAfter is the time after which a firing alert ends that is not repeated, for
	// FormatAlertmanager.
	ExpireAfter time.Duration
	Template    TemplateConfig // for FormatTemplate
	// TraceURL is the address of a trace, for FormatAlertmanager and FormatTemplate.
	TraceURL promalert.TraceURL
}

// TemplateConfig is a Go template whose output is JSON.
type TemplateConfig struct {
	Body        string
	ContentType string
	Variables   map[string]string // such as a key that the receiver requires in the body
}

// New returns the format of a configuration.
func New(c Config) (Format, error) {
	if c.Format != FormatTemplate && c.Template.Body != "" {
		return nil, fmt.Errorf("template::body: set, while format is %q; set format: %s", c.Format, FormatTemplate)
	}
	switch c.Format {
	case FormatNative:
		return Native{}, nil
	case FormatAlertmanager:
		return Alertmanager{ExpireAfter: c.ExpireAfter, TraceURL: c.TraceURL}, nil
	case FormatTemplate:
		if c.Template.Body == "" {
			return nil, errors.New("template::body: missing, while format is template")
		}
		format, err := NewTemplate(c.Template)
		if err != nil {
			return nil, fmt.Errorf("template::body: %w", err)
		}
		format.traceURL = c.TraceURL
		return format, nil
	default:
		return nil, fmt.Errorf("format: %q: must be %s, %s or %s", c.Format, FormatNative, FormatAlertmanager, FormatTemplate)
	}
}

// Message is a log record as the input of a format.
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

// Payload is the body of a request.
type Payload struct {
	Body        []byte
	ContentType string
}

// JSON is the content type of most payloads.
const JSON = "application/json"

// Format renders messages.
type Format interface {
	// Render returns the payload of a message. An error is permanent: the same message would
	// fail again. A payload may depend on the time, as when it states its own expiry.
	Render(message *Message, now time.Time) (Payload, error)
	// PathSuffix is added to the path of the endpoint, unless it ends with it.
	PathSuffix() string
}

// Native sends the body unchanged.
type Native struct{}

// Render implements Format.
func (Native) Render(message *Message, _ time.Time) (Payload, error) { return message.Content, nil }

// PathSuffix implements Format.
func (Native) PathSuffix() string { return "" }
