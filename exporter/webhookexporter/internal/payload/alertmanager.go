// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"encoding/json"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
)

// Alertmanager renders an alert for the API of an Alertmanager.
type Alertmanager struct {
	// ExpireAfter is the time from now to the end of a firing alert.
	ExpireAfter time.Duration
	// TraceURL is linked in the annotations of an alert that has traces.
	TraceURL promalert.TraceURL
}

// Render implements Format.
func (a Alertmanager) Render(message *Message, now time.Time) (Payload, error) {
	alert, err := promalert.New(message.AlertID, message.Body, now, a.ExpireAfter)
	if err != nil {
		return Payload{}, err
	}
	alert.Link(a.TraceURL)
	out, err := json.Marshal([]promalert.Alert{alert})
	return Payload{Body: out, ContentType: JSON}, err
}

// PathSuffix implements Format.
func (Alertmanager) PathSuffix() string { return "/api/v2/alerts" }
