// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promalert

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Annotations about the sessions of an alert.
const (
	AnnotationTraces   = wsevent.KeyAlertTraces // trace IDs, separated by commas
	AnnotationTraceURL = "trace_url"            // the first of them
)

// TraceURL is the address of a trace, with TraceURLParameter in the place of its ID; empty
// for none.
type TraceURL string

// TraceURLParameter stands for the trace ID in a TraceURL.
const TraceURLParameter = "{{trace_id}}"

// Validate returns an error for an address that is none of a trace.
func (u TraceURL) Validate() error {
	if u == "" {
		return nil
	}
	if !strings.Contains(string(u), TraceURLParameter) {
		return fmt.Errorf("%q has no %s, in whose place the ID of the trace is", string(u), TraceURLParameter)
	}
	parsed, err := url.Parse(u.Of(strings.Repeat("0", traceIDLength)))
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return fmt.Errorf("%q is not an http or https URL", string(u))
	}
	if parsed.User != nil {
		return errors.New("has a user name: alerts would contain it")
	}
	return nil
}

// Of returns the address of a trace; empty without a TraceURL.
func (u TraceURL) Of(id string) string {
	return strings.ReplaceAll(string(u), TraceURLParameter, id)
}

const traceIDLength = 32

// Traces returns the trace IDs in the body of an alert, up to MaxAlertTraces.
func Traces(body map[string]any) (ids []string) {
	all, _ := body[wsevent.KeyAlertTraces].([]any)
	for _, one := range all {
		if id := Text(one); isTraceID(id) && len(ids) < wsevent.MaxAlertTraces {
			ids = append(ids, id)
		}
	}
	return ids
}

func isTraceID(text string) bool {
	return len(text) == traceIDLength && strings.Trim(text, "0123456789abcdef") == ""
}

// Link adds the address of the alert's first trace to its annotations.
func (a *Alert) Link(u TraceURL) {
	first, _, _ := strings.Cut(a.Annotations[AnnotationTraces], ", ")
	if u != "" && first != "" {
		a.Annotations[AnnotationTraceURL] = u.Of(first)
	}
}
