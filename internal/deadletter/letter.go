// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Letter is one record that was given up: a line of the file.
type Letter struct {
	// ID is its webhook-id.
	ID string
	// Time is when it was given up.
	Time time.Time
	// Reason is that of own telemetry.
	Reason string
	// Status is that of the last response; 0 where there was none.
	Status int
	// Error is that of the last attempt.
	Error string
	// Body is the record's, as format native would send it.
	Body []byte
}

// line is the JSON of a letter. A body that is JSON stays JSON, any other is a
// string, or base64 where it is not even text.
type line struct {
	ID     string          `json:"id"`
	Time   string          `json:"time"`
	Reason string          `json:"reason"`
	Status int             `json:"status,omitempty"`
	Error  string          `json:"error"`
	Body   json.RawMessage `json:"body,omitempty"`
	Text   string          `json:"body_text,omitempty"`
	Bytes  []byte          `json:"body_base64,omitempty"`
}

// Line is the letter as a line of JSON, with its end.
func (l *Letter) Line() ([]byte, error) {
	out := line{
		ID: l.ID, Time: l.Time.UTC().Format(time.RFC3339Nano), Reason: l.Reason, Status: l.Status, Error: l.Error,
	}
	switch {
	case json.Valid(l.Body):
		out.Body = l.Body
	case utf8.Valid(l.Body):
		out.Text = string(l.Body)
	default:
		out.Bytes = l.Body
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(out)
	return buffer.Bytes(), err
}
