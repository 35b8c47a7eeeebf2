// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"text/template"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Template renders the payload by a Go template, whose output must be JSON.
type Template struct {
	template    *template.Template
	contentType string
	variables   map[string]string
	traceURL    promalert.TraceURL
}

// largest bounds the output of a template, in bytes.
const largest = 1 << 20

// NewTemplate parses a template.
func NewTemplate(c TemplateConfig) (*Template, error) {
	parsed, err := template.New("body").Option("missingkey=zero").Funcs(functions()).Parse(c.Body)
	if err != nil {
		return nil, err
	}
	if err := checkFields(parsed); err != nil {
		return nil, err
	}
	return &Template{template: parsed, contentType: c.ContentType, variables: c.Variables}, nil
}

// view is the data of a template.
type view struct {
	*Message

	Now       time.Time
	Variables map[string]string

	traceURL promalert.TraceURL
}

// Traces returns the IDs of the alert's traces, none on what is no alert.
func (v view) Traces() []string {
	body, _ := v.Body.(map[string]any)
	return promalert.Traces(body)
}

// TraceURLs returns the addresses of the alert's traces, none without trace_url.
func (v view) TraceURLs() (urls []string) {
	if v.traceURL == "" {
		return nil
	}
	for _, id := range v.Traces() {
		urls = append(urls, v.traceURL.Of(id))
	}
	return urls
}

// Summary returns an alert in one line.
func (v view) Summary() string {
	body, _ := v.Body.(map[string]any)
	rule := promalert.Text(body[wsevent.KeyAlertMetric])
	if rule == "" {
		rule = v.Event
	}
	return promalert.Summary(rule, body)
}

// Render implements Format.
func (t *Template) Render(message *Message, now time.Time) (Payload, error) {
	out := &bounded{left: largest}
	if err := t.template.Execute(out, view{Message: message, Now: now.UTC(), Variables: t.variables, traceURL: t.traceURL}); err != nil {
		return Payload{}, fmt.Errorf("template: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out.Bytes()); err != nil {
		return Payload{}, fmt.Errorf("template: does not give JSON: %w (put values through toJSON)", err)
	}
	return Payload{Body: compact.Bytes(), ContentType: t.contentType}, nil
}

// PathSuffix implements Format.
func (*Template) PathSuffix() string { return "" }

// bounded is a buffer of limited size.
type bounded struct {
	bytes.Buffer

	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("gives more than 1 MiB")
	}
	return b.Buffer.Write(p)
}

// functions are what templates have beside Go's own.
func functions() template.FuncMap {
	return template.FuncMap{
		"toJSON":   toJSON,
		"json":     toJSON,
		"plain":    promalert.Plain,
		"slack":    slack,
		"html":     func(value any) string { return html.EscapeString(promalert.Plain(value)) },
		"urlquery": func(value any) string { return url.QueryEscape(promalert.Plain(value)) },
		"choose":   choose,
		"rfc3339":  rfc3339,
		"truncate": truncate,
		"text":     promalert.Text,
		"upper":    strings.ToUpper,
		"lower":    strings.ToLower,
	}
}

// toJSON writes any value as JSON.
func toJSON(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// slack is a value as text in Slack's mrkdwn: it links and mentions nothing, and has
// one line.
func slack(value any) string {
	return slackEscapes.Replace(promalert.Plain(value))
}

// slackEscapes are those that Slack requires. It has none for *, _ and ~, which change
// the face of letters and nothing else.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", " ", "\t", " ")

// choose is the one that follows what equals value, else the last:
// choose .Severity "error" "critical" "warn" "warning" "info".
func choose(value any, cases ...string) (string, error) {
	if len(cases)%2 == 0 {
		return "", fmt.Errorf("choose: %d words after the value: must be pairs, then one for all else", len(cases))
	}
	for i := 0; i+1 < len(cases); i += 2 {
		if promalert.Text(value) == cases[i] {
			return cases[i+1], nil
		}
	}
	return cases[len(cases)-1], nil
}

// rfc3339 writes a time, or one in ms since the epoch, as most receivers read it.
func rfc3339(value any) (string, error) {
	at, isTime := value.(time.Time)
	if !isTime {
		if at, isTime = promalert.Millis(value); !isTime {
			return "", fmt.Errorf("rfc3339: %v: no time in ms", value)
		}
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z07:00"), nil
}

// truncate cuts a text to a number of characters.
func truncate(length int, value any) string {
	t := promalert.Text(value)
	count := 0
	for i := range t {
		if count == max(0, length) {
			return t[:i]
		}
		count++
	}
	return t
}
